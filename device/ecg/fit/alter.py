#!/usr/bin/env python3
"""MIT-BIH records in, altered copies out, for fitting the QRS judge. alter.py RECORDS OUT

a, b: played slower and faster. c: baseline wander, bursts of muscle noise, electrode steps. d: a lead drowned or lost for 45 s at a time (only a lead whose
loss leaves a readable one), changed gain. e: leads swapped and inverted, gain swinging, pacing spikes. f: stretches with noise and no beat at all.
Needs numpy and wfdb (PyPI). The seed is fixed: the same records give the same copies."""
import os, sys, types
import numpy as np, wfdb

SRC, OUT = sys.argv[1:3]
os.makedirs(OUT, exist_ok=True)
rng = np.random.default_rng(7)
FS = 360
SECOND_LEAD_POOR, FIRST_LEAD_POOR = ("101", "103", "105", "203", "208"), ("108",)  # by bedside-score --lead 0 and 1


def put(name, signal, fs, ann):
    wfdb.wrsamp(name, fs=fs, units=["mV"] * 2, sig_name=["A", "B"], p_signal=np.clip(signal, -30, 30), fmt=["16", "16"], adc_gain=[1000, 1000], baseline=[0, 0], write_dir=OUT)
    wfdb.wrann(name, "atr", ann.sample, symbol=list(ann.symbol), subtype=np.array(ann.subtype), write_dir=OUT)


def shaped(n, gain):
    spectrum = np.fft.rfft(rng.standard_normal(n)) * gain(np.fft.rfftfreq(n, 1 / FS))
    y = np.fft.irfft(spectrum, n)
    return y / y.std()


def wander(n): return shaped(n, lambda f: (f <= 3) / np.maximum(f, 0.05))
def muscle(n): return shaped(n, lambda f: (f > 8) * np.exp(-f / 60))


records = sorted(f[:-4] for f in os.listdir(SRC) if f.endswith(".hea"))
for r in records:
    x, ann = wfdb.rdrecord(f"{SRC}/{r}").p_signal[:, :2], wfdb.rdann(f"{SRC}/{r}", "atr")
    n, amp = len(x), [np.percentile(np.abs(x[:, i] - np.median(x[:, i])), 99) for i in (0, 1)]
    put(r + "a", x, 290, ann)
    put(r + "b", x, 440, ann)
    y = x.copy()
    for i in (0, 1):
        y[:, i] += amp[i] * 0.5 * wander(n)
        envelope = np.zeros(n)
        for _ in range(60):
            a = rng.integers(n)
            envelope[a:a + int(FS * rng.uniform(1, 8))] = rng.uniform(0.05, 0.35)
        y[:, i] += amp[i] * envelope * muscle(n)
        for _ in range(40):
            a = rng.integers(n)
            step = y[a:a + int(FS * rng.uniform(.1, 1)), i]
            step += rng.choice([-1, 1]) * amp[i] * rng.uniform(.5, 3) * np.exp(-np.arange(len(step)) / FS / .3)
    put(r + "c", y, FS, ann)
    y = x.copy()
    for k in range(0, n, FS * 45):
        what = rng.integers(4)
        i = 1 if r in SECOND_LEAD_POOR else 0 if r in FIRST_LEAD_POOR else rng.integers(2)
        part = y[k:k + FS * 45]
        if what == 0: part[:, i] = amp[i] * rng.uniform(.1, .6) * muscle(len(part))
        elif what == 1: part[:, i] = y[k, i]
        elif what == 2: part *= rng.uniform(.4, 2)
    put(r + "d", y, FS, ann)
    y = -x[:, ::-1] * (1 + 0.5 * np.sin(2 * np.pi * np.arange(n) / FS / rng.uniform(6, 25)))[:, None]
    for s, c in zip(ann.sample, ann.symbol):
        p = s - int(FS * .07)
        if c in "NLRVAaFJSejnEf/Q" and rng.random() < .7 and p > 0:
            y[p:p + 2, 0] += amp[0] * 1.2
            y[p + 2:p + 3, 0] -= amp[0] * .3
            y[p:p + 2, 1] -= amp[1] * .8
    put(r + "e", y, FS, ann)
    y, dead = x.copy(), np.zeros(n, bool)
    for k in range(FS * 30, n - FS * 20, FS * 60):
        length, level = int(FS * rng.uniform(5, 18)), rng.uniform(.005, .1)
        for i in (0, 1):
            y[k:k + length, i] = y[k, i] + amp[i] * level * (muscle(length) + 2 * wander(length))
        dead[k - 20:k + length + 20] = True
    keep = ~dead[np.minimum(ann.sample, n - 1)]
    put(r + "f", y, FS, types.SimpleNamespace(sample=ann.sample[keep], symbol=[s for s, q in zip(ann.symbol, keep) if q], subtype=np.array(ann.subtype)[keep]))
