"""What people say, and what Nod makes of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.reply.intents import Intent, Reader

# Sentence; intent; the arguments that matter.
UNDERSTOOD = [
    ("what time is it", "Time", {}),
    ("What time is it?", "Time", {}),
    ("what's the time", "Time", {}),
    ("whats the time", "Time", {}),
    ("what is the time", "Time", {}),
    ("what is the time please", "Time", {}),
    ("what's the current time", "Time", {}),
    ("tell me the time", "Time", {}),
    ("tell me what time it is", "Time", {}),
    ("can you tell me the time", "Time", {}),
    ("can you tell me what time it is", "Time", {}),
    ("could you please tell me what time it is right now", "Time", {}),
    ("do you have the time", "Time", {}),
    ("do you know what time it is", "Time", {}),
    ("hey what time is it", "Time", {}),
    ("um what time is it now", "Time", {}),
    ("what um time is it", "Time", {}),
    ("time is it", "Time", {}),
    ("day is it today", "Date", {"what": "date"}),
    ("what what time is it", "Time", {}),
    ("okay nod what time is it please", "Time", {}),
    ("give me the time", "Time", {}),
    ("i want to know the time", "Time", {}),
    ("what time is it in tokyo", "TimeElsewhere", {}),
    ("what's the time in new york", "TimeElsewhere", {}),
    ("what time is it now in london", "TimeElsewhere", {}),
    ("tell me the time in tokyo", "TimeElsewhere", {}),
    ("what time is it in ten minutes", "TimeElsewhere", {"only": "now"}),
    ("is tomorrow friday", "Date", {"offset_days": 1}),
    ("is it december", "Date", {"what": "month"}),
    ("what time is it there", "TimeElsewhere", {}),
    ("what time will the pasta timer go off", "TimerList", {"name": "pasta"}),
    ("what's the difference between five and ten", "Calculate", {"expression": "ten minus five"}),
    ("what's the difference between ten and five", "Calculate", {"expression": "ten minus five"}),
    ("what time is it and what is the date", "Time", {"what": "both"}),
    ("what is the time and the date", "Time", {"what": "both"}),
    ("what's the time and date", "Time", {"what": "both"}),
    ("is it friday tomorrow", "Date", {"offset_days": 1}),
    ("is this year a leap year", "Date", {"what": "month"}),
    ("what's the date and the time", "Time", {"what": "both"}),
    ("tell me the day and the time", "Time", {"what": "both"}),
    ("what day is it", "Date", {"what": "date"}),
    ("what day is it today", "Date", {"what": "date"}),
    ("What's the date today?", "Date", {"what": "date"}),
    ("what is the date", "Date", {"what": "date"}),
    ("what is today's date", "Date", {"what": "date"}),
    ("what's today", "Date", {"what": "date"}),
    ("which day is it", "Date", {"what": "date"}),
    ("tell me the date", "Date", {"what": "date"}),
    ("can you tell me what day it is", "Date", {"what": "date"}),
    ("what day of the week is it", "Date", {"what": "date"}),
    ("is it monday", "Date", {"what": "date"}),
    ("do you know what day it is today", "Date", {"what": "date"}),
    ("what day is tomorrow", "Date", {"offset_days": 1}),
    ("what's tomorrow's date", "Date", {"offset_days": 1}),
    ("what day was yesterday", "Date", {"offset_days": -1}),
    ("what year is it", "Date", {"what": "month"}),
    ("what month is it", "Date", {"what": "month"}),
    ("set a timer for five minutes", "TimerSet", {"seconds": 300}),
    ("Set a timer for 5 minutes.", "TimerSet", {"seconds": 300}),
    ("set the timer for five minutes", "TimerSet", {"seconds": 300}),
    ("said a timer for five minutes", "TimerSet", {"seconds": 300}),
    ("set a time are for five minutes", "TimerSet", {"seconds": 300}),
    ("set a timer five minutes", "TimerSet", {"seconds": 300}),
    ("set timer for one minute", "TimerSet", {"seconds": 60}),
    ("timer five minutes", "TimerSet", {"seconds": 300}),
    ("my timer for five minutes", "TimerSet", {"seconds": 300}),
    ("five minute timer", "TimerSet", {"seconds": 300}),
    ("Set a 5-minute timer.", "TimerSet", {"seconds": 300}),
    ("set a ten minute timer", "TimerSet", {"seconds": 600}),
    ("set a timer of ten minutes", "TimerSet", {"seconds": 600}),
    ("start a timer for twenty five minutes", "TimerSet", {"seconds": 1500}),
    ("please start a twenty five minute timer", "TimerSet", {"seconds": 1500}),
    ("could you set a timer for an hour and a half", "TimerSet", {"seconds": 5400}),
    ("can you please set a timer for ten and a half minutes", "TimerSet", {"seconds": 630}),
    ("set a timer for two and a half hours", "TimerSet", {"seconds": 9000}),
    ("set a timer for two hours and thirty minutes", "TimerSet", {"seconds": 9000}),
    ("set a timer for one hour thirty minutes", "TimerSet", {"seconds": 5400}),
    ("set a timer for one minute and thirty seconds", "TimerSet", {"seconds": 90}),
    ("set a timer for a minute thirty", "TimerSet", {"seconds": 90}),
    ("set a timer for ninety seconds", "TimerSet", {"seconds": 90}),
    ("Set a timer for 90 seconds.", "TimerSet", {"seconds": 90}),
    ("set a timer for half an hour", "TimerSet", {"seconds": 1800}),
    ("set a timer for a quarter of an hour", "TimerSet", {"seconds": 900}),
    ("set a timer for three quarters of an hour", "TimerSet", {"seconds": 2700}),
    ("set a half hour timer", "TimerSet", {"seconds": 1800}),
    ("set a timer for a couple of minutes", "TimerSet", {"seconds": 120}),
    ("set a timer for one point five minutes", "TimerSet", {"seconds": 90}),
    ("i need a timer for ten minutes", "TimerSet", {"seconds": 600}),
    ("i want you to set a timer for ten minutes", "TimerSet", {"seconds": 600}),
    ("add a timer for ten minutes", "TimerSet", {"seconds": 600}),
    ("give me ten minutes on the clock", "TimerSet", {"seconds": 600}),
    ("put ten minutes on the clock", "TimerSet", {"seconds": 600}),
    ("wake me in twenty minutes", "TimerSet", {"seconds": 1200}),
    ("count down from ten seconds", "TimerSet", {"seconds": 10}),
    ("set a timer for an hour please", "TimerSet", {"seconds": 3600}),
    ("set another timer for three minutes", "TimerSet", {"seconds": 180}),
    ("set a second timer for ten minutes", "TimerSet", {"seconds": 600}),
    ("set a second timer", "TimerOpen", {}),
    ("start a second timer", "TimerOpen", {}),
    ("set my second alarm", "TimerOpen", {}),
    ("set a one second timer", "TimerSet", {"seconds": 1}),
    ("set a timer for a second", "TimerSet", {"seconds": 1}),
    ("i need five minutes", "TimerSet", {"seconds": 300}),
    ("hey jarvis set a timer for three minutes", "TimerSet", {"seconds": 180}),
    ("a pasta timer for ten minutes", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a pasta timer for ten minutes", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("Set a pasta timer for 10 minutes, please.", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a ten minute pasta timer", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a timer for ten minutes for pasta", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a ten minute timer called pasta", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a timer for ten minutes and call it pasta", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a timer called soft boiled eggs for six minutes", "TimerSet", {"seconds": 360, "name": "soft boiled eggs"}),
    ("start a laundry timer for an hour", "TimerSet", {"seconds": 3600, "name": "laundry"}),
    ("remind me in five minutes", "TimerSet", {"seconds": 300, "reminder": True}),
    ("remind me in an hour to call my mom", "TimerSet", {"seconds": 3600, "reminder": True, "name": "call your mom"}),
    ("remind me to take out the trash in ten minutes", "TimerSet", {"seconds": 600, "name": "take out the trash"}),
    ("can you remind me to drink water in half an hour", "TimerSet", {"seconds": 1800, "name": "drink water"}),
    ("remind me about the meeting in ten minutes", "TimerSet", {"seconds": 600, "name": "think of the meeting"}),
    ("in ten minutes remind me about my mom", "TimerSet", {"seconds": 600, "name": "think of your mom"}),
    ("remind me in ten minutes to not stop the timer", "TimerSet", {"seconds": 600, "name": "not stop the timer"}),
    ("set a timer for an our", "TimerSet", {"seconds": 3600}),
    ("set a timer for half an our", "TimerSet", {"seconds": 1800}),
    ("set a timer for two ours", "TimerSet", {"seconds": 7200}),
    ("set a timer for about twenty minutes", "TimerSet", {"seconds": 1200}),
    ("set a timer for twenty minutes or so", "TimerSet", {"seconds": 1200}),
    ("set a reminder for ten minutes to check the oven", "TimerSet", {"seconds": 600, "name": "check the oven"}),
    ("set a timer", "TimerOpen", {}),
    ("can you set a timer", "TimerOpen", {}),
    ("set a pasta timer", "TimerOpen", {"name": "pasta"}),
    ("remind me to call my mom", "TimerOpen", {"reminder": True, "name": "call your mom"}),
    ("five minutes", "TimerLength", {"seconds": 300}),
    ("for ten minutes please", "TimerLength", {"seconds": 600}),
    ("cancel the timer", "TimerCancel", {}),
    ("cancel my timer", "TimerCancel", {}),
    ("stop the timer", "TimerCancel", {}),
    ("stop the alarm", "TimerCancel", {}),
    ("please delete the timer", "TimerCancel", {}),
    ("turn off the timer", "TimerCancel", {}),
    ("turn the timer off", "TimerCancel", {}),
    ("cancel the pasta timer", "TimerCancel", {"name": "pasta"}),
    ("could you cancel the pasta timer please", "TimerCancel", {"name": "pasta"}),
    ("cancel the timer called pasta", "TimerCancel", {"name": "pasta"}),
    ("cancel the five minute timer", "TimerCancel", {"seconds": 300}),
    ("cancel all timers", "TimerCancel", {"all": True}),
    ("cancel all the timers", "TimerCancel", {"all": True}),
    ("Cancel all of my timers.", "TimerCancel", {"all": True}),
    ("cancel the reminder to call my mom", "TimerCancel", {"name": "call your mom", "reminder": True}),
    ("cancel the reminder", "TimerCancel", {"reminder": True}),
    ("cancel the mom reminder", "TimerCancel", {"name": "mom", "reminder": True}),
    ("delete all my reminders", "TimerCancel", {"all": True, "reminder": True}),
    ("cancel all timers", "TimerCancel", {"all": True, "reminder": False}),
    ("cancel both timers", "TimerCancel", {"all": True, "most": 2}),
    ("turn all timers off", "TimerCancel", {"all": True}),
    ("switch the timer off", "TimerCancel", {}),
    ("shut the alarm off", "TimerCancel", {}),
    ("can you tell me what five times seven is", "Calculate", {"expression": "five times seven"}),
    ("turn the pasta timer off", "TimerCancel", {"name": "pasta"}),
    ("what reminders do i have", "TimerList", {"reminder": True}),
    ("cancel the timer for ten minutes", "TimerCancel", {"seconds": 600}),
    ("i want to cancel the timer for ten minutes", "TimerCancel", {"seconds": 600}),
    ("stop the alarm for ten minutes", "TimerCancel", {"seconds": 600}),
    ("check the timer for ten minutes", "TimerList", {"seconds": 600}),
    ("show the timer for ten minutes", "TimerList", {"seconds": 600}),
    ("do i have a timer for ten minutes", "TimerList", {"seconds": 600}),
    ("have you set a timer for ten minutes", "TimerList", {"seconds": 600}),
    ("do i have any reminders", "TimerList", {"reminder": True}),
    ("do you have any timers", "TimerList", {}),
    ("do i have a pasta timer", "TimerList", {"name": "pasta"}),
    ("are any timers running", "TimerList", {}),
    ("pasta timer nine minutes", "TimerSet", {"seconds": 540, "name": "pasta"}),
    ("nine minute pasta timer", "TimerSet", {"seconds": 540, "name": "pasta"}),
    ("no timer for ten minutes", "TimerLeft", {}),
    ("how long is left on the ten minute timer", "TimerList", {"seconds": 600}),
    ("how long left on the ten minute timer", "TimerList", {"seconds": 600}),
    ("how much time is left on the ten minute timer", "TimerList", {"seconds": 600}),
    ("how much is left on the five minute timer", "TimerList", {"seconds": 300}),
    ("when does the ten minute timer end", "TimerList", {"seconds": 600}),
    ("when does the timer for ten minutes end", "TimerList", {"seconds": 600}),
    ("how much time is left", "TimerList", {}),
    ("how much time is left on the timer", "TimerList", {}),
    ("how much time is left on the pasta timer", "TimerList", {"name": "pasta"}),
    ("how long is left on my timer", "TimerList", {}),
    ("how long until the timer is done", "TimerList", {}),
    ("how many minutes are left", "TimerList", {}),
    ("how many timers do i have", "TimerList", {}),
    ("what timers do i have", "TimerList", {}),
    ("what timers are running", "TimerList", {}),
    ("list my timers", "TimerList", {}),
    ("list all timers", "TimerList", {}),
    ("show me my timers", "TimerList", {}),
    ("are there any timers", "TimerList", {}),
    ("do i have any timers set", "TimerList", {}),
    ("how is my pasta timer doing", "TimerList", {"name": "pasta"}),
    ("when does the timer go off", "TimerList", {}),
    ("timer status", "TimerList", {}),
    ("what is seven times a", "Calculate", {"expression": "seven times eight"}),  # as Vosk writes it
    ("what is seven times a hundred", "Calculate", {"expression": "seven times a hundred"}),
    ("what is twelve times eleven", "Calculate", {"expression": "twelve times eleven"}),
    ("What is 12 times 11?", "Calculate", {"expression": "12 times 11"}),
    ("What's 12 x 11?", "Calculate", {"expression": "12 times 11"}),
    ("what's seven plus eight", "Calculate", {"expression": "seven plus eight"}),
    ("seven plus eight", "Calculate", {"expression": "seven plus eight"}),
    ("how much is twenty percent of fifty", "Calculate", {"expression": "twenty percent of fifty"}),
    ("How much is 20% of 50?", "Calculate", {"expression": "20 percent of 50"}),
    ("what is one hundred divided by seven", "Calculate", {"expression": "one hundred divided by seven"}),
    ("what is nine minus fifteen", "Calculate", {"expression": "nine minus fifteen"}),
    ("what's 5 - 3", "Calculate", {"expression": "5 minus 3"}),
    ("What is 15-7?", "Calculate", {"expression": "15 minus 7"}),
    ("what is the square root of one hundred forty four", "Calculate", {}),
    ("what is twelve squared", "Calculate", {"expression": "twelve squared"}),
    ("what's the square of nine", "Calculate", {}),
    ("calculate three times four plus five", "Calculate", {"expression": "three times four plus five"}),
    ("what is two plus three plus four plus five", "Calculate", {}),
    ("can you tell me what is six multiplied by seven", "Calculate", {"expression": "six times by seven"}),
    ("what is two to the power of ten", "Calculate", {}),
    ("what is half of ninety", "Calculate", {}),
    ("add seven and eight", "Calculate", {"expression": "seven plus eight"}),
    ("subtract seven from twenty", "Calculate", {"expression": "twenty minus seven"}),
    ("multiply six by nine", "Calculate", {"expression": "six times nine"}),
    ("divide ninety by four", "Calculate", {"expression": "ninety divided by four"}),
    ("what is the sum of two and three", "Calculate", {"expression": "two plus three"}),
    ("what is three point five times two", "Calculate", {}),
    ("how many minutes are in a day", "Convert", {"source": "day", "target": "minute"}),
    ("how many minutes in two hours", "Convert", {"source": "hour", "target": "minute", "amount": "2"}),
    ("how many feet are there in a mile", "Convert", {"source": "mile", "target": "foot"}),
    ("convert ten miles to kilometers", "Convert", {"source": "mile", "target": "kilometer", "amount": "10"}),
    ("how many minutes in an hour and a half", "Convert", {"source": "hour", "target": "minute", "amount": "3/2"}),
    ("how many grams in a quarter of a pound", "Convert", {"source": "pound", "target": "gram", "amount": "1/4"}),
    ("how far is a mile in kilometers", "Convert", {"source": "mile", "target": "kilometer", "amount": "1"}),
    ("how many minutes in the hour", "Convert", {"source": "hour", "target": "minute", "amount": "1"}),
    ("how many days in a year", "Convert", {"source": "year", "target": "day", "amount": "1"}),
    ("What's 5 km in miles?", "Convert", {"source": "kilometer", "target": "mile", "amount": "5"}),
    ("Convert 10 kg to lbs.", "Convert", {"source": "kilogram", "target": "pound", "amount": "10"}),
    ("how many cm in 2 ft", "Convert", {"source": "foot", "target": "centimeter", "amount": "2"}),
    ("what is five less than ten", "Calculate", {"expression": "ten minus five"}),
    ("what is five less than two", "Calculate", {"expression": "two minus five"}),
    ("what is one divided by zero", "Calculate", {"expression": "one divided by zero"}),
    ("what is five more than ten", "Calculate", {"expression": "five plus ten"}),
    ("what is two to the tenth", "Calculate", {"expression": "two to the power of ten"}),
    ("what is four to the third power", "Calculate", {"expression": "four to the power of three"}),
    ("how much is seven plus bananas times nine", "CalculateUnclear", {}),
    ("what is fifteen dash seven", "Calculate", {"expression": "fifteen minus seven"}),
    ("how much as twenty percent of fifty", "Calculate", {"expression": "twenty percent of fifty"}),
    ("what has to plus three", "Calculate", {"expression": "two plus three"}),
    ("what is to to the power of ten", "Calculate", {"expression": "two to the power of ten"}),
    ("set a timer for to minutes", "TimerSet", {"seconds": 120}),
    ("set a past the timer for ten minutes", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("set a past a timer for ten minutes", "TimerSet", {"seconds": 600, "name": "pasta"}),
    ("how many minutes or left", "TimerList", {}),
    ("turned the timer off", "TimerCancel", {}),
    ("term the timer off", "TimerCancel", {}),
    ("what his the time", "Time", {}),
    ("how many minutes our left", "TimerList", {}),
    ("how many minutes an two hours", "Convert", {"amount": "2"}),
    ("how many minutes and two hours", "Convert", {"amount": "2"}),
    ("less my timers", "TimerList", {}),
    ("lists my timers", "TimerList", {}),
    ("lest my timers", "TimerList", {}),
    ("at seven and eight", "Calculate", {"expression": "seven plus eight"}),
    ("had seven and eight", "Calculate", {"expression": "seven plus eight"}),
    ("but ten minutes on the clock", "TimerSet", {"seconds": 600}),
    ("buy", "Greeting", {}),
    ("by", "Greeting", {}),
    ("stop", "Stop", {}),
    ("Stop!", "Stop", {}),
    ("stop it", "Stop", {}),
    ("be quiet", "Stop", {}),
    ("please be quiet", "Stop", {}),
    ("shut up", "Stop", {}),
    ("never mind", "Stop", {}),
    ("Nevermind.", "Stop", {}),
    ("cancel", "Stop", {}),
    ("okay stop", "Stop", {}),
    ("let's stop", "Stop", {}),
    ("that's enough", "Stop", {}),
    ("forget it", "Stop", {}),
    ("no thanks", "Stop", {}),
    ("what can you do", "Help", {}),
    ("help", "Help", {}),
    ("can you help me", "Help", {}),
    ("what can i ask you", "Help", {}),
    ("tell me what you can do", "Help", {}),
    ("repeat that", "Repeat", {}),
    ("can you repeat that please", "Repeat", {}),
    ("what did you say", "Repeat", {}),
    ("Sorry, what did you say?", "Repeat", {}),
    ("say that again", "Repeat", {}),
    ("i didn't hear you", "Repeat", {}),
    ("pardon", "Repeat", {}),
    ("run a self check", "SelfCheck", {}),
    ("check yourself", "SelfCheck", {}),
    ("Can you run a self-check?", "SelfCheck", {}),
    ("how are you doing", "SelfCheck", {}),
    ("hello", "Greeting", {}),
    ("hey there", "Greeting", {}),
    ("good morning", "Greeting", {}),
    ("how are you", "Greeting", {}),
    ("thank you", "Greeting", {}),
    ("thanks a lot", "Greeting", {}),
    ("bye", "Greeting", {}),
    ("Goodbye.", "Greeting", {}),
    ("what's your name", "Greeting", {}),
    ("who are you", "Greeting", {}),
    ("what's the weather like today", "CanNot", {}),
    ("will it rain tomorrow", "CanNot", {}),
    ("play some music", "CanNot", {}),
    ("turn on the kitchen lights", "CanNot", {}),
    ("turn the lights off", "CanNot", {}),
    ("call me a taxi", "CanNot", {}),
    ("wait", "Wait", {}),
    ("no", "Wait", {}),
    ("hold on", "Wait", {}),
    ("oh on", "Wait", {}),
    ("wait a minute", "Wait", {}),
    ("give me a second", "Wait", {}),
    ("i need a minute", "Wait", {}),
    ("okay give me a second", "Wait", {}),
    ("could you give me a minute", "Wait", {}),
    ("one second", "Wait", {}),
    ("just a minute", "Wait", {}),
    ("okay", "Wait", {}),
    ("yeah right", "Wait", {}),
    ("go on", "Continue", {}),
    ("please continue", "Continue", {}),
    ("carry on where you stopped", "Continue", {}),
    ("what were you saying", "Continue", {}),
    ("not stop", "Stop", {}),
]  # fmt: skip

# Words that sound like numbers, before or after what only a number makes sense with; what was said.
SOUND_LIKE_NUMBERS = [
    ("set a timer for for minutes", "set a timer for four minutes"),
    ("set a timer for too minutes", "set a timer for two minutes"),
    ("set a timer for sex minutes", "set a timer for six minutes"),
    ("set a timer for won minute", "set a timer for one minute"),
    ("set a timer for won second", "set a timer for one second"),
    ("set a timer for tan seconds", "set a timer for ten seconds"),
    ("set a timer for won hour", "set a timer for one hour"),
    ("set a timer for ate hours", "set a timer for eight hours"),
    ("set a timer for won day", "set a timer for one day"),
    ("set a timer for ate days", "set a timer for eight days"),
    ("what is ate minus for", "what is eight minus four"),
    ("what is tan times sex", "what is ten times six"),
    ("what is for squared", "what is four squared"),
    ("what is ate percent of fifty", "what is eight percent of fifty"),
    ("what is ten divided by to", "what is ten divided by two"),
    ("what is five by for", "what is five by four"),
]

# Not for Nod, whatever the words after the verb: a sentence of that kind may go on, so nothing is said about its end.
BEYOND_IT = [
    "can i get a large latte with two sugars",
    "may i have a triple shot house coffee with some sweetener",
    "get me a medium iced mocha with a lot of whole milk",
    "i'd like a latte with brown sugar",
    "i want a triple shot ice coffee",
    "give me a sixteen ounce dark roast",
    "brew a small light roast with cream",
    "can i have to medium coffees with milk",
    "put some jazz on",
    "put the lights on",
    "where is the nearest bakery",
    "what restaurants are near me",
    "make me a sandwich",
    "can you make coffee",
    "order a pizza",
    "order new batteries",
    "bring me a beer",
    "clean the kitchen",
    "set an alarm for seven am",
    "set an alarm for seven",
    "set an alarm for the morning",
    "remind me to call mom at six thirty",
    "remind me to call mom at six oclock",
    "remind me to call mom tomorrow morning",
    "remind me to feed the cat later",
    "remind me to call mom next friday",
    "remind me to call mom by monday",
    "remind me to call mom on friday",
    "remind me to call mom every morning",
    "remind me to call mom this evening",
    "remind me to call mom over the weekend",
    "remind me to wait until midnight",
    "remind me to call mom at half past six",
    "remind me to call mom at a quarter to six",
    "remind me to call mom half six",
    "remind me tonight to call mom",
    "remind me every day to stretch",
    "remind me when i am home to call mom",
    "wake me up at seven",
    "remind me tomorrow to buy milk",
    "wake me up",
    "set the thermostat to seventy",
    "set the temperature to twenty degrees",
    "speak louder",
    "make a note",
    "add milk to my shopping list",
    "put milk and two eggs on the list",
    "add batteries to my shopping list",
    "what's on my calendar",
    "create an appointment for tomorrow",
    "how do i set a timer",
    "how do i cancel a timer",
    "how do you spell necessary",
    "spell the word cat",
    "can you tell me the weather",
    "tell me the weather for tomorrow",
    "can you send emails",
]

# About timers or reminders, but nothing that Nod does, or nothing that is to be done.
NOT_DONE = [
    ("don't set a timer for five minutes", "TimerLeft"),
    ("never set a timer for ten minutes", "TimerLeft"),
    ("stop don't set a timer for ten minutes", "TimerLeft"),
    ("don't stop the timer", "TimerLeft"),
    ("no don't cancel the timer", "TimerLeft"),
    ("please do not cancel all timers", "TimerLeft"),
    ("don't remind me to call mom", "TimerLeft"),
    ("how much is left", "TimerList"),
    ("what's left on the timer", "TimerList"),
    ("when does it go off", "TimerList"),
    ("when is my reminder", "TimerList"),
    ("has the timer gone off yet", "TimerList"),
    ("did my pasta timer ring", "TimerList"),
    ("is my time up", "TimerList"),
    ("what's on my timer", "TimerList"),
    ("cancel both", "TimerCancel"),
    ("stop all of them", "TimerCancel"),
    ("my timer is five minutes", "TimerUnclear"),
    ("snooze", "TimerUnclear"),
    ("i have a timer for ten minutes", "TimerList"),
    ("i already set a timer for ten minutes", "TimerList"),
    ("you have a timer for ten minutes", "TimerList"),
    ("change the pasta timer to fifteen minutes", "TimerUnclear"),
    ("change the timer to about noon", "TimerUnclear"),
    ("let's start in five minutes set a timer", "TimerUnclear"),
    ("extend the timer to fifteen minutes", "TimerUnclear"),
    ("reset the timer", "TimerUnclear"),
    ("reset the timer to fifteen minutes", "TimerUnclear"),
    ("forget the timer for ten minutes", "TimerUnclear"),
    ("pause the timer", "TimerUnclear"),
    ("pause the timer for ten minutes", "TimerUnclear"),
    ("could you please resume the timer", "TimerUnclear"),
    ("stop the timer in five minutes", "TimerUnclear"),
    ("cancel all the other timers", "TimerUnclear"),
    ("set a timer for five minutes and tell me the time", "TimerUnclear"),
    ("remind me about the meeting", "TimerOpen"),
    ("one more minute please", "TimerUnclear"),
    ("give me another minute", "TimerUnclear"),
    ("increase the timer by five", "TimerUnclear"),
    ("increase the timer to fifteen minutes", "TimerUnclear"),
    ("set two timers one for five minutes and one for ten minutes", "TimerUnclear"),
    ("set a five minute timer and a ten minute timer", "TimerUnclear"),
    ("remind me not to call mom in ten minutes", "TimerUnclear"),
    ("how about a timer for ten minutes", "TimerUnclear"),
    ("set a timer for", "TimerOpen"),
    ("set a timer for five", "TimerOpen"),
    ("set timer five", "TimerOpen"),
    ("set alarms for seven", "TimerUnclear"),
    ("set a timer for five five minutes", "TimerUnclear"),
    ("remind me to take the bread out in ten minutes then the cake", "TimerUnclear"),
    ("turn on the alarm", "TimerUnclear"),
    ("remind me to buy six", "TimerOpen"),
    ("remind me to do this", "TimerOpen"),
]

# The model would guess.
NOT_WORKED_OUT = [
    "what is five five plus two",
    "what percentage is ten of fifty",
    "how much is a hundred divided between four people",
    "a dozen times two",
    "what is a dozen times two",
    "what's twelve dozen",
    "what is pi times two",
    "what is five factorial",
    "what is fifty divided by half",
    "add five and six and seven",
    "what is one hundred and five and six and seven",
    "what is the square root of pi",
    "times two",
    "and divided by two",
    "what's that times two",
    "times that by two",
    "how many months in a year",
    "how many days in a leap year",
    "what is five feet six inches in centimeters",
    "convert one hundred degrees fahrenheit to celsius",
    "what is twenty celsius in fahrenheit",
    "what is sixty miles per hour in kilometers per hour",
    "and in feet",
    "what is a sixth of thirty six",
    "what is four fifths of ten",
    "what is half of half of eight",
    "what is the sum of one two and three",
    "what is seven doubled",
    "how many square feet in an acre",
    "convert seventy kilograms to stone",
    "ten dollars in euros",
    "convert a quarter mile to feet",
    "sixty miles an hour in kilometers per hour",
    "what is pi squared times two",
    "what is the cube root of pi",
    "then times two",
    "times two please",
    "multiply the seven by itself",
    "what is five sixths of twelve",
    "what is the sum of all numbers up to ten",
    "what is the product of all numbers up to five",
    "what is seven tripled",
    "what is ten halved",
    "how much is twelve dozen",
    "how many are six dozen",
    "what is six and a dozen",
    "add five and pi",
    "how many cubic feet in a gallon",
    "how many fluid ounces in a cup",
    "how many months are in a year",
    "how many months there are in a year",
    "how many months is a year",
    "how many months make a year",
    "how many months to a year",
    "convert ten stone into kilograms",
    "convert stone to kilograms for seventy",
    "what is ten stone in kilograms please",
    "how heavy is ten stone in kilograms",
    "in feet",
    "what about in feet",
    "how about in feet",
    "how many grams in five five pounds",
    "what is the log of ten",
    "if i have three apples and eat two how many are left",
    "what is bigger a third or a half",
    "what is bigger five point two or five",
    "which is more five than seven",
    "which is more five and seven",
]

# Of the time and the date only what it is now is known.
NOT_NOW = [
    ("what's the date on friday", "today"),
    ("what is the date next monday", "today"),
    ("what day is it on the twenty fifth", "today"),
    ("how many days until christmas", "today"),
    ("what time will it be in an hour", "now"),
    ("what day is christmas", "today"),
    ("what day is the first of january", "today"),
    ("what day was it the day before yesterday", "today"),
    ("what's the date a week from today", "today"),
    ("what day was it two weeks ago", "today"),
    ("when is friday", "today"),
    ("how long until midnight", "now"),
    ("how long until seven thirty", "now"),
    ("what day is it in ten minutes", "today"),
    ("when is easter", "today"),
]

LEFT_TO_THE_MODEL = [
    "what is the average of this",
    "if i have three apples how many are left",
    "which is larger a cat or ten",
    "how long until seven people come",
    "when is peter",
    "where is the nearest dragon",
    "put the cat on",
    "i need to drink a coffee",
    "i need to drink a large coffee",
    "i told you that three times",
    "i do not like timers",
    "why did you remind me of my mother",
    "does that remind anybody of home",
    "who will remind you to eat",
    "what do plus and minus mean",
    "what is the root of all evil",
    "can i bring a plus one",
    "i brush my teeth two times a day",
    "divide that fairly",
    "tell me the names of three rivers",
    "on the second day three people came",
    "the price has doubled",
    "i bought twelve dozen",
    "what is that",
    "what is forty two",
    "what is one thing you like",
    "how many apples are in a pound or a kilogram",
    "what is longer ten miles or ten kilometers",
    "what are ten miles or ten kilometers to a bird",
    "what could ten dollars buy in yen many years ago",
    "are apples sold in pounds",
    "what are three things measured in kilograms",
    "how are miles converted to kilometers",
    "i ran ten miles in minutes",
    "i want some time or two",
    "how many hours a day should i sleep",
    "how many miles per hour can a cheetah run",
    "what can i do in two hours",
    "what is the difference between celsius and fahrenheit",
    "what is half the battle",
    "why are there no timers",
    "what is our planet called",
    "make a list of the planets",
    "who put the man on the moon",
    "add a touch of salt to the soup",
    "what happened on the fourth of july seventeen seventy six",
    "who was the second of the two kings",
    "what is the sum of its parts",
    "what an idea",
    "how long until the bread has risen",
    "how many days to get to mars",
    "how do i win at a timer race",
    "tell me a joke about timers",
    "my alarm did not start this morning",
    "don't stop",
    "how do i make coffee",
    "how many ounces are in a large latte",
    "can i have coffee while pregnant",
    "can i get a cold from ice cream",
    "give me a recipe for pancakes",
    "give me an idea for breakfast",
    "i want to know how much sugar is in coke",
    "i would like to know who invented pizza",
    "i have two eggs",
    "i had a coffee this morning",
    "i like tea",
    "make me laugh",
    "give me a fun fact",
    "what is the order of the planets",
    "order of the planets",
    "i want a divorce",
    "what is in a latte",
    "what should i drink for breakfast",
    "what is the capital of france",
    "why is the sky blue",
    "tell me a joke",
    "who wrote hamlet",
    "how far away is the moon",
    "how many people live in germany",
    "how many legs does a spider have",
    "what is a timer",
    "who invented the timer",
    "how does a timer work",
    "what is time",
    "why does time pass so slowly",
    "what time do birds wake up",
    "what was the date of the moon landing",
    "what day is best for a walk",
    "let's start in five minutes",
    "when did the war end",
    "how long does it take to boil an egg",
    "how long should i cook pasta",
    "how long is a football match",
    "how many days does it take to get to mars",
    "tell me about the great wall of china",
    "tell me a story about a dragon",
    "tell me something interesting",
    "what is the meaning of life",
    "what is love",
    "what is a prime number",
    "what is the square root",
    "what is a percent",
    "what does plus mean",
    "who was the first president",
    "how do i bake bread",
    "what should i cook tonight",
    "recommend a good book",
    "what is the tallest mountain",
    "do you like music",
    "do you have any friends",
    "can you sing a song",
    "why do cats purr",
    "explain photosynthesis",
    "what is gravity",
    "what is the best way to stop smoking",
    "why did the music stop",
    "how do i stop a nosebleed",
    "how do i cancel a subscription",
    "what does cancel mean",
    "name three colors",
    "how old is the universe",
    "what is the speed of light",
    "what language do they speak in brazil",
    "i am bored",
    "i had a long day at work",
    "my dog ate five cookies",
    "we waited for five minutes",
    "ten minutes ago i saw a bird",
    "it took us two hours to get there",
    "five people came to the party",
    "are you a robot",
    "is the earth flat",
    "who is the king of england",
    "what happened in nineteen eighty four",
    "what happens in five minutes",
    "good food is important",
    "thank you is a polite phrase",
    "hello kitty is a cartoon",
]


@pytest.fixture(scope="module")
def reader() -> Reader:
    return Reader()


@pytest.mark.parametrize(("text", "intent", "args"), UNDERSTOOD)
def test_understood(reader: Reader, text: str, intent: str, args: dict[str, object]) -> None:
    found = reader.read(text)
    assert found is not None and found.name == intent
    assert args.items() <= found.args.items()


@pytest.mark.parametrize(("heard", "said"), SOUND_LIKE_NUMBERS)
def test_what_sounds_like_a_number_is_one_where_only_that_makes_sense(reader: Reader, heard: str, said: str) -> None:
    assert reader.read(heard) == reader.read(said) is not None
    assert reader.completeness(heard) == reader.completeness(said)


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("list my timers", Intent("TimerList")),  # of whatever kind
        (
            "remind me about the meeting in ten minutes",
            Intent("TimerSet", {"seconds": 600.0, "reminder": True, "name": "think of the meeting"}),
        ),
    ],
)
def test_a_tool_is_told_no_more_than_was_said(reader: Reader, text: str, intent: Intent) -> None:
    assert reader.read(text) == intent


@pytest.mark.parametrize("text", BEYOND_IT)
def test_what_it_can_not_do_is_told_at_once_but_says_nothing_about_the_end_of_the_turn(reader: Reader, text: str) -> None:
    found = reader.read(text)
    assert found is not None and found.name == "CanNot" and found.args["say"]
    assert reader.completeness(text) != "complete"


@pytest.mark.parametrize(("text", "intent"), NOT_DONE)
def test_what_is_not_to_be_done_with_timers_is_not_done_and_not_left_to_the_model(
    reader: Reader, text: str, intent: str
) -> None:
    found = reader.read(text)
    assert found is not None and found.name == intent
    assert reader.completeness(text) != "complete"


@pytest.mark.parametrize("text", NOT_WORKED_OUT)
def test_what_can_not_be_worked_out_is_not_left_to_the_model(reader: Reader, text: str) -> None:
    found = reader.read(text)
    assert found is not None and found.name == "CalculateUnclear"
    assert reader.completeness(text) != "complete"


@pytest.mark.parametrize(
    ("text", "intent", "args"),
    [
        ("how much is seven sixes", "Calculate", {"expression": "seven times six"}),
        ("what is seven twelves", "Calculate", {"expression": "seven times twelve"}),
        ("how many sevens in forty two", "Calculate", {"expression": "forty two divided by seven"}),
        ("convert pounds to grams", "Convert", {"amount": "1", "source": "pound", "target": "gram"}),
    ],
)
def test_what_may_go_on_is_worked_out_where_it_does_not(reader: Reader, text: str, intent: str, args: dict[str, str]) -> None:
    assert reader.read(text) == Intent(intent, args)
    assert reader.completeness(text) != "complete"


def test_a_number_with_and_may_be_a_sum_and_may_go_on(reader: Reader) -> None:
    found = reader.read("how much is six and seven")
    assert found is not None and found.args == {"expression": "six plus seven"}
    found = reader.read("what is one hundred and five plus three")
    assert found is not None and found.args == {"expression": "one hundred and five plus three"}
    assert reader.completeness("what is one hundred and five") == "prefix"


@pytest.mark.parametrize(("text", "only"), NOT_NOW)
def test_the_time_of_another_moment_is_not_left_to_the_model(reader: Reader, text: str, only: str) -> None:
    found = reader.read(text)
    assert found is not None and found.name == "TimeElsewhere" and found.args["only"] == only
    assert reader.completeness(text) != "complete"


@pytest.mark.parametrize(
    ("text", "intent"),
    [
        ("is it past noon yet", "Time"),
        ("is it five oclock", "Time"),
        ("what year is next year", "TimeElsewhere"),
        ("is my timer set", "TimerList"),
        ("time left", "TimerList"),
    ],
)
def test_what_only_clock_and_timers_know_is_not_left_to_the_model(reader: Reader, text: str, intent: str) -> None:
    found = reader.read(text)
    assert found is not None and found.name == intent
    assert reader.completeness(text) != "complete"


@pytest.mark.parametrize("hum", "um uh er erm hm hmm mm ah eh uhm huh".split())
def test_a_hum_changes_nothing(reader: Reader, hum: str) -> None:
    for text in (f"{hum} what time is it", f"what {hum} time is it", f"what time is it {hum}"):
        assert reader.read(text) == reader.read("what time is it") and reader.completeness(text) == "complete"


def test_every_answer_that_is_given_as_it_stands_can_be_rendered_ahead(reader: Reader) -> None:
    given = reader.given_answers()
    assert len(given) == len(set(given))
    for text in (*BEYOND_IT, "hello", "thank you"):
        found = reader.read(text)
        assert found is not None
        said = found.args["say"]
        assert ({said} if isinstance(said, str) else set(said)) <= set(given), text


def test_of_two_questions_the_time_is_answered(reader: Reader) -> None:
    found = reader.read("what's the time and what's the weather")
    assert found is not None and found.name == "Time"
    found = reader.read("tell me the time and set a timer for five minutes")
    assert found is not None and found.name == "TimerUnclear"


@pytest.mark.parametrize("text", LEFT_TO_THE_MODEL)
def test_open_questions_match_nothing(reader: Reader, text: str) -> None:
    assert reader.read(text) is None
    assert reader.completeness(text) != "complete"


_ANY = (
    "how many much what is are add in to into of and a the half third sum seven 2 times divided by root square"
    " miles feet remind me not stop timer no let us"
).split()


@given(st.lists(st.sampled_from(_ANY), max_size=9))
def test_whatever_words_come_in_whatever_order_they_are_read(reader: Reader, said: list[str]) -> None:
    """A recognizer writes anything, and a sentence is read before it is whole."""
    reader.read(" ".join(said))
    reader.completeness(" ".join(said))


@pytest.mark.parametrize("text", ["how many", "what is ten miles in", "what is one third of", "what time is it and how is it in the"])
def test_a_sentence_that_breaks_off_is_read(reader: Reader, text: str) -> None:
    assert reader.read(text) is None and reader.completeness(text) == "prefix"


@pytest.mark.parametrize(
    "text", [text for text, intent, _ in UNDERSTOOD if intent not in ("TimerOpen", "CalculateUnclear")]
)
def test_a_whole_sentence_is_complete_and_each_beginning_of_it_could_become_one(reader: Reader, text: str) -> None:
    words = text.rstrip("?.!").split()
    assert reader.completeness(text) == "complete"
    for count in range(len(words)):
        assert reader.completeness(" ".join(words[:count])) in ("prefix", "complete"), words[:count]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "prefix"),
        ("um", "prefix"),
        ("set a timer", "prefix"),
        ("add five minutes", "prefix"),
        ("add five minutes to the timer", "complete"),
        ("five more minutes", "complete"),
        ("one more minute", "prefix"),
        ("set a timer for", "prefix"),
        ("set a timer for twenty", "prefix"),
        ("set a timer for an hour and", "prefix"),
        ("what", "prefix"),
        ("turn", "prefix"),
        ("turn on the", "prefix"),
        ("what is twelve times", "prefix"),
        ("could you", "prefix"),
        ("what time", "complete"),
        ("what time is it in ten", "prefix"),
        ("what time is it in the", "prefix"),
        ("remind me in ten minutes to take out the", "prefix"),
        ("remind me in ten minutes about a", "prefix"),
        ("remind me in ten minutes to take the bread and", "prefix"),
        ("remind me in ten minutes to call mom or", "prefix"),
        ("remind me in ten minutes to take the bread out of the oven and feed cats", "complete"),
        ("put the kids times a", "prefix"),  # timer on
        ("what is the capital of france", "none"),
        ("why is the sky blue", "none"),
        ("tell me a joke", "none"),
    ],
)
def test_completeness(reader: Reader, text: str, expected: str) -> None:
    assert reader.completeness(text) == expected


def test_reading_a_sentence_takes_less_than_5_ms(reader: Reader) -> None:
    """Counted in automaton steps, since the machine may be busy: 5 ms is some 8,000 of them."""
    from device.reply import grammar

    steps = 0
    step = grammar._step

    def counted(threads, word, position):
        nonlocal steps
        steps += len(threads)
        return step(threads, word, position)

    grammar._step = counted
    try:
        for text in [text for text, _, _ in UNDERSTOOD] + LEFT_TO_THE_MODEL:
            steps = 0
            reader.read(text)
            assert steps < 8000, text
    finally:
        grammar._step = step
