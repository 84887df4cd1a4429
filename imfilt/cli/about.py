"""The commands that tell: of kernels, of files, of the filters."""

import argparse
import json
import re
import sys

from imfilt.cli import catalogue, files, kernels, names, signatures
from imfilt.cli.parser import Parser
from imfilt.cli.report import FAILED, one_line

WIDE = 15  # kernels with more columns are not printed whole
EXAMPLES = {  # of what has no default, for `imfilt help`
    "frequency": 0.2, "length": 5.0, "radius": 2.0, "sigma": 1.0, "low_sigma": 1.0, "factor": 2,
}  # fmt: skip
COMBINES = {  # what a function that is not linear is made of
    "roberts": ("roberts_pos_diag", "roberts_neg_diag"),
    "gradient": ("sobel_h", "sobel_v"),
    "canny": ("gaussian", "sobel_h", "sobel_v"),
}


def run(name, args):
    """One of these commands.

    Returns
    -------
    int
        The exit status.
    """
    made = parser(name)
    if name == "help":
        if not args:
            return _overview()
        args = [catalogue.typed(args[0]), *args[1:]]
        if not args[0].startswith("-") and args[0] not in catalogue.names():
            made.error(f"there is no command {args[0]!r}{catalogue.suggestion(args[0])}")
    if name == "kernel":  # taps may begin with a minus; what holds a blank is no option
        args = [f" {one}" if re.match(r"-\.?[0-9]", one) else one for one in args]
    return {
        "kernel": _kernel, "info": _info, "list": _list, "help": _help, "completion": _completion,
    }[name](made.parse_known_args(args) if name == "help" else made.parse_args(args), made)  # fmt: skip


def _overview():
    from imfilt.cli import overview

    print(overview(), end="")
    return 0


def parser(name):
    """The parser of one of these commands."""
    text = f"{catalogue.OTHERS[name].summary[0].upper()}{catalogue.OTHERS[name].summary[1:]}."
    made = Parser(f"imfilt {name}", description=text)
    add = made.add_argument
    if name == "kernel":
        made.epilog = f"A kernel: {kernels.HOW}."
        add("kernel", metavar="KERNEL")
        add(
            "--size",
            type=_size,
            default=(1080, 1920),
            metavar="WxH",
            help="of the picture that costs are for (default: 1920x1080)",
        )
        add(
            "--dtype",
            choices=("uint8", "uint16", "float32", "float64"),
            default="float32",
            metavar="TYPE",
            help="of its pixels (default: float32)",
        )
        add("--json", action="store_true", help="as JSON")
    elif name == "info":
        add("files", nargs="+", metavar="FILE", help="pictures, folders with --recursive, or - for stdin")
        add("-r", "--recursive", action="store_true", help="take all pictures in folders")
        add("--json", action="store_true", help="one JSON object for each file")
    elif name == "list":
        add("--json", action="store_true", help="with options, their types and defaults, as JSON")
    elif name == "help":
        made.usage = "imfilt help COMMAND [OPTION ...]"
        made.description = (
            f"{text} Options of the command change the kernel that is shown: imfilt help gaussian --sigma 0.5."
        )
        add("command", choices=catalogue.names(), metavar="COMMAND")
    else:
        from imfilt.cli.completion import SHELLS

        add("shell", choices=SHELLS, metavar="SHELL", help=" or ".join(SHELLS))
        made.epilog = 'bash: eval "$(imfilt completion bash)"'
    return made


def _size(text):
    columns, _, rows = text.lower().partition("x")
    if not (columns.isdigit() and rows.isdigit() and int(columns) and int(rows)):
        raise argparse.ArgumentTypeError(f"{text!r} is no size, such as 1920x1080")
    return int(rows), int(columns)


# --- kernel ---


def _kernel(arguments, made):
    import imfilt

    try:
        kernel = kernels.parse(arguments.kernel)
        facts = imfilt.analyze_kernel(kernel, arguments.size, arguments.dtype)
    except (argparse.ArgumentTypeError, ValueError, TypeError) as error:
        made.error(str(error))
    separation, report = facts.separation, facts.plan
    if arguments.json:
        print(json.dumps({
            "shape": facts.shape, "taps": facts.taps, "sum": facts.gain, "magnitudes": facts.l1,
            "whole": facts.is_integer, "symmetry": facts.symmetry._asdict(), "rank": facts.rank,
            "columns": separation.columns.tolist(), "rows": separation.rows.tolist(), "exact": separation.exact,
            "plan": report.plan, "milliseconds": report.milliseconds, "errors": report.errors,
            "refused": report.refused,
        }))  # fmt: skip
        return 0
    print(facts)
    for i, (column, row) in enumerate(zip(separation.columns, separation.rows, strict=True), 1):
        if max(len(column), len(row)) <= WIDE:
            print(f"factor {i}  column {_taps(column)}  row {_taps(row)}")
    print(f"\n{report}")
    return 0


def _taps(values):
    return "[" + ", ".join(f"{value:.6g}" for value in values + 0.0) + "]"


# --- info ---


def _info(arguments, _made):
    from imfilt.cli.work import PROBLEMS, reason
    from imfilt.images.read import open_pictures

    status = 0
    for found in names.expand(arguments.files, arguments.recursive, "", None):
        path, problem = (found.path, None) if isinstance(found, names.Source) else found
        facts = {}
        try:
            if problem:
                raise problem
            with open_pictures(sys.stdin.buffer.read() if path == files.STREAM else files.content(path)) as pictures:
                facts = pictures.facts()
        except PROBLEMS as error:
            status = FAILED
            print(one_line(f"imfilt: {path}: {reason(error)}"), file=sys.stderr)
            if arguments.json:
                print(json.dumps({"path": path, "error": reason(error)}))
            continue
        if arguments.json:
            print(json.dumps({"path": path, **facts}, default=str))
            continue
        print(one_line(path))
        for key, value in facts.items():
            if value not in (None, "", [], {}):
                print(f"  {key:12}{one_line(_shown(value))}")
    return status


def _shown(value):
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(one)}" for key, one in value.items())
    if isinstance(value, tuple | list):
        return ", ".join(map(_shown, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


# --- list ---


def _list(arguments, _made):
    from imfilt.cli import filtering

    functions = {name: title for title, names in catalogue.families().items() for name in names}
    told = {
        **{name: signatures.summary(filtering.function_of(name)) for name in functions},
        **{one.name: one.summary for one in catalogue.OTHERS.values()},
    }
    if not arguments.json:
        width = max(map(len, told)) + 2
        for name, text in told.items():
            print(f"{name:{width}}{text}")
        return 0
    for name, title in functions.items():
        print(json.dumps({
            "name": name, "function": name.replace("-", "_"), "family": title, "summary": told[name],
            "options": [
                {
                    "name": option.name, "flag": option.flag, "required": option.required,
                    "default": option.default, "choices": list(option.choices), "type": option.metavar,
                    "help": option.help,
                }
                for option in filtering.options_of(name)
            ],
        }))  # fmt: skip
    return 0


# --- help ---


def _help(parsed, _made):
    from imfilt.cli import filtering

    arguments, rest = parsed
    name = arguments.command
    if name in catalogue.OTHERS and name != "conv":
        place = filtering if catalogue.OTHERS[name].place == "filtering" else sys.modules[__name__]
        place.parser(name).print_help()
        return 0
    function = filtering.function_of(name)
    filtering.parser(name, shared=False).print_help()
    print(f"\nWith the options for files, pictures and reports that all filters have: imfilt {name} --help")
    if name == "conv":
        return 0
    given = _given(name, rest)
    shown = _kernels(name, function, given)
    if shown:
        print("\nkernel, as it lies on the picture" + (f" ({_named(given)})" if given else "") + ":")
        print("\n\n".join(shown))
    notes = _notes(function)
    if notes:
        print(f"\n{notes}")
    print(f"\nIn Python: imfilt.{function.__name__}; what else it takes: help(imfilt.{function.__name__})")
    return 0


def _given(name, rest):
    """Values of the options: those given, and examples of what has no default."""
    from imfilt.cli import filtering

    step = Parser(f"imfilt help {name}")
    options = filtering.options_of(name)
    signatures.add_options(step, [option._replace(required=False) for option in options])
    given = signatures.given(step.parse_args(rest))
    examples = {o.name: EXAMPLES[o.name] for o in options if o.required and o.name in EXAMPLES}
    return {**examples, **given}


def _named(values):
    return ", ".join(f"{name} {_shown(value)}" for name, value in values.items())


def _notes(function):
    """What the docstring notes, as it stands there."""
    import inspect

    found = re.search(r"\nNotes\n-+\n(.*?)(?=\n\n?\w[\w ]*\n---|\Z)", inspect.cleandoc(function.__doc__ or ""), re.S)
    return re.sub(r":(:$)|`+", r"\1", found.group(1), flags=re.M).strip() if found else ""


def _kernels(name, function, given):
    """The taps of a linear function, found with an impulse; of one that is not, those of its parts."""
    import imfilt

    if function.__name__ in ("compass", "kirsch"):
        from imfilt.kernels import COMPASS, compass

        one = given.get("kernel", "kirsch")
        below = round(1 / COMPASS[one][2])
        return [f"the first of eight, each turned by 45 degrees from the last; over {below}\n{table(compass(one)[0])}"]
    parts = COMBINES.get(function.__name__)
    if parts:
        shown = []
        for part in parts:
            takes = {option.name for option in signatures.options_of(getattr(imfilt, part))}
            values = {key: value for key, value in given.items() if key in takes}
            shown += [f"{part.replace('_', '-')}\n{text}" for text in _kernels(part, getattr(imfilt, part), values)]
        return shown
    takes = {option.name for option in signatures.options_of(function)}
    if "axis" in takes and "axis" not in given:
        titles = ("down the rows, --axis 0", "along the rows, --axis 1")
        return [
            f"{title}\n{text}"
            for axis, title in enumerate(titles)
            for text in _kernels(name, function, {**given, "axis": axis})
        ]
    try:
        taps = _response(function, given, takes)
    except (ValueError, TypeError) as error:
        return [f"({error})"]
    return [] if taps is None else [table(taps)]


def _response(function, given, takes):
    """The correlation kernel of a linear function, trimmed; None if it is not linear, or not one kernel."""
    import inspect

    import numpy as np

    if "psf" in takes or any(name in takes for name in ("weight", "depthwise", "kernel", "column")):
        return None
    options = {name: value for name, value in given.items() if name not in ("mask", "weights", "mode", "cval")}
    more: dict = {"mode": "constant"} if "mode" in takes else {}
    parameters = inspect.signature(function).parameters
    if "preserve_range" in parameters:
        more["preserve_range"] = True
    for radius in (8, 32, 128, 512):
        point = np.zeros((2 * radius + 1, 2 * radius + 1))

        def answer(value, radius=radius, point=point):
            point[radius, radius] = value
            result = function(point, **options, **more)
            return result[0] if isinstance(result, tuple) else result

        none, one, two = (np.asarray(answer(value), float) for value in (0.0, 1.0, -2.0))
        if (
            isinstance(answer(1.0), list)
            or one.shape != none.shape
            or not np.allclose(two - none, -2 * (one - none), atol=1e-9)
        ):
            return None
        taps = one - none
        if taps.shape != point.shape:  # how a pixel spreads into a larger picture
            break
        if not (taps[0].any() or taps[-1].any() or taps[:, 0].any() or taps[:, -1].any()):
            taps = taps[::-1, ::-1]
            break
    else:
        return None
    seen = np.argwhere(np.abs(taps) > 1e-12)
    if not len(seen):
        return None
    if taps.shape == point.shape:  # the centre stays in the middle
        cut = np.abs(seen - radius).max(axis=0)
        (top, left), (bottom, right) = radius - cut, radius + cut
    else:
        (top, left), (bottom, right) = seen.min(axis=0), seen.max(axis=0)
    return taps[top : bottom + 1, left : right + 1]


def table(taps):
    """A kernel as text: a table, or if it is wide its size and factors."""
    import imfilt

    if max(taps.shape) > WIDE:
        found = imfilt.separate(taps, tol=1e-9)
        text = f"  {taps.shape[0]} x {taps.shape[1]} taps, rank {len(found.columns)}"
        if len(found.columns) == 1:
            column, row = found.columns[0], found.rows[0]
            text += "\n" + "\n".join(f"  {side} {_taps(values)}" for side, values in (("column", column), ("row", row)))
        return text
    cells = [[f"{value + 0.0:.5g}" for value in row] for row in taps.round(12)]
    width = max(len(cell) for row in cells for cell in row)
    return "\n".join("  " + "  ".join(f"{cell:>{width}}" for cell in row) for row in cells)


# --- completion ---


def _completion(arguments, _made):
    from imfilt.cli import filtering
    from imfilt.cli.completion import script

    commands = {}
    for members in catalogue.families().values():
        for name in members:
            commands[name] = signatures.summary(filtering.function_of(name)), filtering.parser(name)
    for one in catalogue.OTHERS.values():
        place = filtering if one.place == "filtering" else sys.modules[__name__]
        commands[one.name] = one.summary, place.parser(one.name)
    print(script(arguments.shell, commands), end="")
    return 0
