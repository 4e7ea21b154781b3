"""Made panel.csv of this study, a simulation: 12 units, 7 periods, two groupings, a mediator with missing cells."""

from pathlib import Path

import numpy as np

import bayes_npp as bn


def main() -> None:
    """Write panel.csv beside this file."""
    frame = bn.simulate(12, 7, {"north": 0.8, "south": 0.2}, controls=(0.5,), seed=16).frame
    random = np.random.default_rng(16)
    noise = random.normal(size=(6, len(frame)))
    for number, name in enumerate(("first", "second", "third")):
        frame[name] = np.exp(0.5 * frame["outcome"] + 0.2 * noise[number])
    frame["structure"] = 0.5 * frame["exposure"] + 0.5 * noise[3]
    frame["support"] = 0.4 * frame["exposure"] + 0.5 * noise[4]
    frame["second_exposure"] = np.exp(0.3 * frame["exposure"] + 0.1 * noise[5])
    last = frame["time"] == frame["time"].max()
    frame.loc[last & frame["unit"].isin(["unit 01", "unit 02"]), "support"] = np.nan
    columns = ["unit", "time", "group", "exposure", "control_1", "first", "second", "third"]
    columns += ["structure", "support", "second_exposure"]
    frame[columns].round(6).to_csv(Path(__file__).with_name("panel.csv"), index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
