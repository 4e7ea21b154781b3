"""Tables of other libraries as a pandas frame: Arrow and polars by the Arrow stream, xarray by its dimensions."""

from typing import Any

import pandas as pd

from bayes_npp.errors import PanelError

SOURCE = "the panel"


def as_frame(rows: Any) -> pd.DataFrame | None:
    """The rows as a frame, keys among its columns; None of what is no table, such as a path.

    Parameters
    ----------
    rows : DataFrame, or what has an Arrow stream (polars, pyarrow, duckdb), or a Dataset or DataArray of xarray
        Levels of an index that have names become columns. Of xarray, cells in which nothing is known are no rows.

    Raises
    ------
    PanelError
        A lazy table, a DataArray without a name.
    """
    if isinstance(rows, pd.DataFrame):
        return _with_index(rows)
    if isinstance(rows, pd.Series):
        return _with_index(rows.to_frame())
    if hasattr(rows, "to_dataframe") and hasattr(rows, "dims"):
        if getattr(rows, "name", "") is None:
            raise PanelError("the DataArray has no name", place=SOURCE, fix="Say array.to_dataset(name='y')")
        return _with_index(rows.to_dataframe().dropna(how="all"))
    if hasattr(rows, "collect") and not hasattr(rows, "__arrow_c_stream__"):
        raise PanelError("the table is lazy", place=SOURCE, fix="Say table.collect()")
    if hasattr(rows, "__arrow_c_stream__"):
        import pyarrow

        return pyarrow.table(rows).to_pandas()
    return None


def keys_of(rows: Any) -> tuple[str, str] | None:
    """Names of unit and time where the rows say them: an index of two levels, or two dimensions, in this order."""
    names = list(rows.index.names) if isinstance(rows, (pd.DataFrame, pd.Series)) else list(getattr(rows, "dims", ()))
    if len(names) != 2:
        return None
    unit, time = names
    return "unit" if unit is None else str(unit), "time" if time is None else str(time)


def _with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with levels of its index as columns: named ones, and both of an index of two levels."""
    if frame.index.nlevels == 2:
        names = [
            name if name is not None else key for name, key in zip(frame.index.names, ("unit", "time"), strict=True)
        ]
        frame = frame.rename_axis(index=names)
    new = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=new) if new and frame.columns.nlevels == 1 else frame
