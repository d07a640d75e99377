"""One voice agent built with pipecat-ai as its own starter template builds one, hearing a recording in real time.

Run by `tests/bench/side_by_side.py` in the framework's own environment, so nothing of Nod is imported here:

    PYTHON tests/bench/pipecat_agent.py JOB.json

JOB.json: user (16 kHz WAV), out (folder), vosk, llm, voice_dir, voice (models), messages (what stands before the first
turn), max_tokens, repeat_penalty, context_tokens.  Leaves agent.wav (sample 0 is the user's sample 0) and agent.json in
`out`; the framework's log goes to stderr.

Every setting of the framework that isn't named here is its default: Silero VAD (stop after 0.2 s), Smart Turn v3 as the
end of turn, whole sentences to the voice, its own Piper service.  It has no service for Vosk or llama-cpp-python; those
two below are subclasses of its base classes, as streaming as the engines are.
"""

import asyncio
import json
import sys
import threading
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import soxr
import vosk
from llama_cpp import Llama
from pipecat.audio.vad.silero import SileroVADAnalyzer
from pipecat.frames.frames import (
    InputAudioRawFrame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    TranscriptionFrame,
    VADUserStartedSpeakingFrame,
    VADUserStoppedSpeakingFrame,
)
from pipecat.observers.user_bot_latency_observer import UserBotLatencyObserver
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineParams, PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.services.llm_service import LLMService
from pipecat.services.piper.tts import PiperTTSService
from pipecat.services.settings import LLMSettings, STTSettings
from pipecat.services.stt_service import STTService
from pipecat.transcriptions.language import Language
from pipecat.transports.base_input import BaseInputTransport
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

RATE_HZ = 16_000
BLOCK_S = 0.02  # as the framework's own sound card transport
AHEAD_S = 0.04  # one of its chunks: a card that holds one more while it plays one
LEAD_BYTES = RATE_HZ * 2  # a second from before the VAD was sure, as the framework's SegmentedSTTService keeps
WARM_TEXT = "This is said once before anybody listens."


class Clock:
    """The recording's time.  start_s: `time.time()` at the user's sample 0."""

    start_s = 0.0

    def now_s(self) -> float:
        return time.time() - self.start_s


class FileInput(BaseInputTransport):
    """Hands over each 20 ms of the recording when a sound card would have it full."""

    def __init__(self, params: TransportParams, pcm: bytes, clock: Clock):
        super().__init__(params)
        self._pcm, self._clock = pcm, clock

    async def start(self, frame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def play(self) -> None:
        """Returns at the end of the recording."""
        step = round(BLOCK_S * RATE_HZ) * 2
        self._clock.start_s = time.time()
        for index in range(len(self._pcm) // step):
            await asyncio.sleep(max(0.0, (index + 1) * BLOCK_S - self._clock.now_s()))
            block = self._pcm[index * step : (index + 1) * step]
            await self.push_audio_frame(InputAudioRawFrame(audio=block, sample_rate=RATE_HZ, num_channels=1))


class FileOutput(BaseOutputTransport):
    """Plays in real time into an array.  What comes while nothing plays is heard at once: no device is that quick."""

    def __init__(self, params: TransportParams, seconds: float, clock: Clock):
        super().__init__(params)
        self._seconds, self._clock, self._free_s = seconds, clock, 0.0
        self.played = np.zeros(0, np.int16)

    async def start(self, frame) -> None:
        await super().start(frame)
        self.played = np.zeros(round(self._seconds * self.sample_rate), np.int16)
        await self.set_transport_ready(frame)

    async def write_audio_frame(self, frame) -> bool:
        samples = np.frombuffer(frame.audio, np.int16)
        at_s = max(self._clock.now_s(), self._free_s)
        first = round(at_s * self.sample_rate)
        there = self.played[first : first + samples.size]
        there[:] = samples[: there.size]
        self._free_s = at_s + samples.size / self.sample_rate
        await asyncio.sleep(max(0.0, self._free_s - AHEAD_S - self._clock.now_s()))
        return True


class VoskSTT(STTService):
    """Vosk, decoding while the user speaks, in a thread; the final text is asked for as soon as the VAD says stop.

    It hears no long silences: behind ten seconds of them it took twice as many words for others.
    """

    def __init__(self, model: vosk.Model):
        # Only a fallback where a service can't say which text is final; this one can.
        super().__init__(settings=STTSettings(model="vosk", language=Language.EN), ttfs_p99_latency=0.35)
        self._recognizer = vosk.KaldiRecognizer(model, RATE_HZ)
        self._thread = ThreadPoolExecutor(1)
        self._closed: list[str] = []  # segments Kaldi ended by itself
        self._before, self._listens = b"", False

    def can_generate_metrics(self) -> bool:
        return True

    def take(self, audio: bytes) -> None:
        if self._listens:
            self.hear(audio)
        else:
            self._before = (self._before + audio)[-LEAD_BYTES:]

    def listen(self) -> None:
        self._listens = True
        self.hear(self._before)

    def hear(self, audio: bytes) -> None:
        if self._recognizer.AcceptWaveform(audio):
            self._closed.append(json.loads(self._recognizer.Result())["text"])

    def finish(self) -> str:
        """All words since the VAD's last start."""
        words = [*self._closed, json.loads(self._recognizer.FinalResult())["text"]]
        self._closed.clear()
        self._before, self._listens = b"", False
        return " ".join(filter(None, words))

    async def run_stt(self, audio: bytes):
        self._thread.submit(self.take, audio)
        yield None

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if isinstance(frame, VADUserStartedSpeakingFrame):
            self._thread.submit(self.listen)
        elif isinstance(frame, VADUserStoppedSpeakingFrame):
            self.request_finalize()
            self.create_task(self._push_final())

    async def _push_final(self) -> None:
        text = await asyncio.get_running_loop().run_in_executor(self._thread, self.finish)
        if text:
            self.confirm_finalize()
            await self.push_frame(TranscriptionFrame(text, self._user_id, time_now_iso8601(), Language.EN))


class LlamaLLM(LLMService):
    """llama-cpp-python's chat completion, token by token out of a thread; what it has read of the prompt stays read."""

    def __init__(self, llama: Llama, max_tokens: int, repeat_penalty: float):
        unused = dict.fromkeys(("top_p", "top_k", "frequency_penalty", "presence_penalty", "seed"))
        unused |= dict.fromkeys(("system_instruction", "filter_incomplete_user_turns", "user_turn_completion_config"))
        super().__init__(settings=LLMSettings(model="smollm2", temperature=0.0, max_tokens=max_tokens, **unused))
        self._llama, self._max_tokens, self._penalty = llama, max_tokens, repeat_penalty
        self._thread = ThreadPoolExecutor(1)

    def can_generate_metrics(self) -> bool:
        return True

    def complete(self, messages: list[dict], say, stop: threading.Event) -> None:
        """say: called with each piece of text, and with None at the end."""
        try:
            options = {"temperature": 0.0, "repeat_penalty": self._penalty, "max_tokens": self._max_tokens}
            for chunk in self._llama.create_chat_completion(messages, stream=True, **options):
                if stop.is_set():
                    return
                if text := chunk["choices"][0]["delta"].get("content"):
                    say(text)
        finally:
            say(None)

    async def process_frame(self, frame, direction) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        try:
            await self.push_frame(LLMFullResponseStartFrame())
            await self.start_processing_metrics()
            await self._answer([dict(message) for message in frame.context.get_messages()])
        finally:
            await self.stop_processing_metrics()
            await self.push_frame(LLMFullResponseEndFrame())

    async def _answer(self, messages: list[dict]) -> None:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        loop, stop = asyncio.get_running_loop(), threading.Event()

        def say(piece: str | None) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        await self.start_ttfb_metrics()
        self._thread.submit(self.complete, messages, say, stop)
        try:
            while (piece := await pieces.get()) is not None:
                await self.stop_ttfb_metrics()
                await self._push_llm_text(piece)
        finally:
            stop.set()  # an interruption ends this coroutine, not the thread


def load(job: dict) -> tuple[VoskSTT, LlamaLLM, PiperTTSService, UserTurnStrategies]:
    """All models, each used once, so that the first request pays for nothing."""
    voice = PiperTTSService(
        download_dir=Path(job["voice_dir"]), settings=PiperTTSService.Settings(voice=job["voice"], language=None)
    )
    spoken = b"".join(chunk.audio_int16_bytes for chunk in voice._voice.synthesize(WARM_TEXT))
    heard = soxr.resample(np.frombuffer(spoken, np.int16), voice._voice.config.sample_rate, RATE_HZ)

    vosk.SetLogLevel(-1)
    recognizer = VoskSTT(vosk.Model(job["vosk"]))
    recognizer.hear(heard.tobytes())
    print("warm, Vosk heard:", recognizer.finish(), file=sys.stderr)

    llama = Llama(job["llm"], n_ctx=job["context_tokens"], verbose=False)
    model = LlamaLLM(llama, job["max_tokens"], job["repeat_penalty"])
    model.complete([*job["messages"], {"role": "user", "content": "hello"}], lambda piece: None, threading.Event())

    turns = UserTurnStrategies()  # what the aggregator makes itself when given none
    turns.stop[0]._turn_analyzer._predict_endpoint(np.zeros(8 * RATE_HZ, np.float32))
    return recognizer, model, voice, turns


def follow(pair: LLMContextAggregatorPair, observer: UserBotLatencyObserver, clock: Clock) -> list[dict]:
    """What was heard, what was said, and what each answer's time went into; seconds of the recording."""
    lines: list[dict] = []

    def note(kind: str, **what) -> None:
        lines.append({"t_s": round(clock.now_s(), 3), "kind": kind} | what)

    @pair.user().event_handler("on_user_turn_stopped")
    async def heard(aggregator, strategy, message) -> None:
        note("heard", text=message.content, by=type(strategy).__name__)

    @pair.assistant().event_handler("on_assistant_turn_stopped")
    async def said(aggregator, message) -> None:
        note("said", text=message.content, interrupted=message.interrupted)

    @observer.event_handler("on_latency_breakdown")
    async def spent(observer, breakdown) -> None:
        parts = {part.key: round(part.duration_secs * 1000) for part in breakdown.contributions}
        note("spent", total_ms=round(breakdown.total_secs * 1000), ms=parts)

    return lines


async def run(job: dict) -> None:
    with wave.open(job["user"]) as file:
        pcm = file.readframes(file.getnframes())
    recognizer, model, voice, turns = load(job)
    clock = Clock()
    params = TransportParams(audio_in_enabled=True, audio_out_enabled=True)
    source, sink = FileInput(params, pcm, clock), FileOutput(params, len(pcm) / 2 / RATE_HZ, clock)
    pair = LLMContextAggregatorPair(
        LLMContext(job["messages"]),
        user_params=LLMUserAggregatorParams(vad_analyzer=SileroVADAnalyzer(), user_turn_strategies=turns),
    )
    observer = UserBotLatencyObserver()
    lines = follow(pair, observer, clock)
    worker = PipelineWorker(
        Pipeline([source, recognizer, pair.user(), model, voice, sink, pair.assistant()]),
        params=PipelineParams(enable_metrics=True),
        observers=[observer],
        enable_rtvi=False,  # messages to a web page that isn't there
    )
    playing = []

    @worker.event_handler("on_pipeline_started")
    async def begin(worker, frame) -> None:
        async def play() -> None:
            await source.play()
            await worker.cancel()

        playing.append(asyncio.create_task(play()))

    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    await runner.run()
    await asyncio.gather(*playing)
    leave(Path(job["out"]), sink, lines)


def leave(out: Path, sink: FileOutput, lines: list[dict]) -> None:
    with wave.open(str(out / "agent.wav"), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(sink.sample_rate)
        file.writeframes(sink.played.tobytes())
    names = ("pipecat-ai", "vosk", "llama-cpp-python", "piper-tts", "onnxruntime", "numpy")
    result = {"versions": {name: version(name) for name in names}, "lines": lines}
    (out / "agent.json").write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    asyncio.run(run(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))))
