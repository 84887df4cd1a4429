"""The commands that filter files: a function, a kernel of one's own, or several steps."""

import argparse
import math
import shlex

from imfilt.cli import catalogue, files, kernels, names, settings, signatures
from imfilt.cli.parser import Parser

CONV = """Filter with a kernel of your own. It lies on the picture as it is written (correlation, as in conv2d and
OpenCV); with --convolve it is turned by 180 degrees first (SciPy's convolve, ImageMagick). Colours are filtered channel
by channel. If the taps sum to 0 the result is a response: --range says what becomes of negative ones.

A kernel is typed, taps apart by commas, rows by spaces: --kernel '0,-1,0 -1,5,-1 0,-1,0'; or it is a file:
--kernel sharpen.csv (.txt, .json, .npy)."""

PIPE = """Several steps on one picture; between them it stays in memory, in floating point, unrounded and with its sign.
A step is a command and its options: gaussian sigma=2 | sobel axis=0; conv kernel='1,2,1' scale=sum. The steps are
the last argument. Only the last step rounds; --range and the like are for its result."""


def parser(name, shared=True):
    """The parser of a command of this module, its options from the function's signature.

    Parameters
    ----------
    name : str
        As it is typed.
    shared : bool
        With the options that all these commands have.

    Returns
    -------
    Parser
    """
    if name == "pipe":
        made = Parser(f"imfilt {name}", description=PIPE, usage="imfilt pipe [OPTION ...] FILE ... STEPS")
        made.add_argument(
            "files",
            nargs="+",
            metavar="FILE",
            help="pictures, folders with --recursive, or - for stdin; then the steps",
        )
    else:
        text = CONV if name == "conv" else _description(name)
        made = Parser(f"imfilt {name}", description=text, usage=f"imfilt {name} [OPTION ...] FILE ...")
        made.add_argument("files", nargs="+", metavar="FILE", help="pictures, folders with --recursive, or - for stdin")
        options = options_of(name)
        signatures.add_options(made, options)
        if any(option.metavar == "KERNEL" for option in options):
            made.epilog = f"A KERNEL is typed, {kernels.HOW}."
        _add_choices(made, name)
    if shared:
        settings.add_options(made, name)
    return made


def _description(name):
    function = function_of(name)
    text = f"{signatures.summary(function)}."
    if catalogue.family(name) in catalogue.RESPONSES:
        text += "\nColour becomes one result, of its luminance, unless --per-channel."
    return f"{text}\nimfilt help {name} tells more, and shows its kernel."


def _add_choices(parser, name):
    """What a command has beside the parameters of its function."""
    from imfilt.cli.steps import DIRECTIONS, PARTS

    group = parser.add_argument_group("the result")
    if name == "conv":
        way = group.add_mutually_exclusive_group()
        way.add_argument("--correlate", action="store_true", help="the kernel as it is written (default)")
        way.add_argument("--convolve", action="store_true", help="the kernel turned by 180 degrees")
        group.add_argument(
            "--scale", type=_scale, metavar="X",
            help="multiply the taps by X, a number or a fraction such as 1/16; sum: divide them by their sum",
        )  # fmt: skip
        group.add_argument("--bias", type=signatures.number, metavar="X", help="add to the result, white being 1")
    parts = PARTS.get(name.replace("-", "_"))
    if parts:
        group.add_argument(
            "--part", choices=tuple(parts), metavar="PART",
            help=f"which of its results: {', '.join(parts)} (default: {next(iter(parts))})",
        )  # fmt: skip
    if name in DIRECTIONS:
        group.add_argument(
            "--direction", action="store_true",
            help="a picture of directions: the hue is where it grows brighter (red: to the right, yellow-green: down, "
            "cyan: to the left, violet: up), the brightness how steeply",
        )  # fmt: skip


def _scale(text):
    if text == "sum":
        return text
    try:
        return kernels.tap(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def function_of(name):
    """The function of a command."""
    import imfilt

    return getattr(imfilt, "correlate" if name == "conv" else name.replace("-", "_"))


def options_of(name):
    """The Options of a command's function."""
    return signatures.options_of(function_of(name))


def step_of(name, options, extra):
    """A Step that is checked as far as it can be without a picture; raises ValueError or TypeError.

    Parameters
    ----------
    name : str
        The command.
    options : dict
        Values of the parameters of its function.
    extra : dict
        scale, convolve, bias, part, direction.
    """
    import imfilt
    from imfilt.cli.steps import Step

    function = function_of(name)
    if extra.get("convolve"):
        function = imfilt.convolve
    scale, bias = extra.get("scale"), extra.get("bias") or 0.0
    if not math.isfinite(bias):
        raise ValueError(f"--bias must be finite, not {bias}")
    if scale is not None and "kernel" in options:
        total = options["kernel"].sum() if scale == "sum" else 1 / scale if scale else 0
        if not total:
            raise ValueError(
                "--scale sum is for taps that do not sum to 0" if scale == "sum" else "--scale must not be 0"
            )
        options = {**options, "kernel": options["kernel"] / total}
    step = Step(
        name, function, options, part=extra.get("part") or "", bias=bias,
        directions=bool(extra.get("direction")),
    )  # fmt: skip
    step.check()
    return step


EXTRA = ("scale", "convolve", "bias", "part", "direction")


def steps_from(text):
    """The Steps of a pipe such as 'gaussian sigma=2 | sobel'; raises ValueError."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|")
    lexer.whitespace_split = True
    lexer.commenters = ""
    groups: list[list[str]] = [[]]
    for word in lexer:
        if set(word) == {"|"}:
            groups.append([])
        else:
            groups[-1].append(word)
    return [_step_from(words) for words in groups]


class StepParser(Parser):
    """Of one step of a pipe, whose errors are those of the whole."""

    def error(self, message):
        raise ValueError(f"step {self.prog}: {message}")


def _step_from(words):
    if not words:
        raise ValueError("a step is empty; steps are apart by |, as in 'gaussian sigma=2 | sobel'")
    name = catalogue.typed(words[0])
    if name != "conv" and catalogue.family(name) is None:
        raise ValueError(f"there is no step {words[0]!r}{catalogue.suggestion(words[0])}")
    step = StepParser(name)
    signatures.add_options(step, options_of(name))
    _add_choices(step, name)
    flags = {word for action in step._actions if action.nargs == 0 for word in action.option_strings}
    args: list[str] = []
    left = words[1:]
    while left:
        word = left.pop(0)
        if word.startswith("--") and "=" not in word and word not in flags and left:
            word = f"{word}={left.pop(0)}"
        key, equals, value = word.partition("=")
        if not equals and f"--{key.lstrip('-').replace('_', '-')}" not in flags:
            raise ValueError(f"step {name}: {word!r} is no option; options are written as sigma=2")
        flag = "--" + key.lstrip("-").replace("_", "-")
        if equals and flag in flags:
            if not signatures.yes_or_no(value):
                flag = flag.replace("--", "--no-", 1)
                if flag not in flags:
                    continue
            args.append(flag)
        else:
            args.append(f"{flag}={value}" if equals else flag)
    arguments = step.parse_args(args)
    return step_of(name, signatures.given(arguments), {key: getattr(arguments, key, None) for key in EXTRA})


def run(name, args):
    """A command on its files.

    Returns
    -------
    int
        The exit status.
    """
    made = parser(name)
    arguments = made.parse_args(args)
    chosen = settings.chosen(arguments)
    words = list(arguments.files)
    try:
        if name == "pipe":
            if len(words) < 2:
                made.error("give a picture, then the steps, as in: imfilt pipe photo.jpg 'gaussian sigma=2 | sobel'")
            steps = steps_from(words.pop())
        else:
            extra = {key: getattr(arguments, key, None) for key in EXTRA}
            steps = [step_of(name, signatures.given(arguments), extra)]
        check(chosen, steps, words)
    except (ValueError, TypeError) as error:
        made.error(str(error))
    from imfilt.cli import batch

    return batch.run(name, words, steps, chosen)


def check(chosen, steps, words):
    """Raise ValueError for options that contradict each other."""
    if chosen.in_place and (chosen.output is not None or chosen.skip_existing or chosen.format):
        raise ValueError("--in-place needs no name, format or --skip-existing")
    if chosen.output == "":
        raise ValueError("-o is empty")
    if chosen.output is not None and names.is_template(chosen.output):
        names.check_template(chosen.output)
    if chosen.quiet and chosen.verbose:
        raise ValueError("--quiet and --verbose are opposites")
    if words.count(files.STREAM) > 1:
        raise ValueError("stdin is there to be read once; give - once")
    if chosen.output == files.STREAM and (len(words) > 1 or chosen.recursive):
        raise ValueError(f"stdout takes one picture, and there are {len(words)} arguments")
    one_file = chosen.output is not None and not (names.is_folder(chosen.output) or names.is_template(chosen.output))
    if one_file and (len(words) > 1 or chosen.recursive):
        raise ValueError(f"{chosen.output} is not a folder, for several files to write; {chosen.output}/ makes one")
    if chosen.linear and chosen.range and not steps[-1].is_response:
        raise ValueError("--range is for edges and other responses where --linear is given")
    if chosen.contrast != 1 and not steps[-1].is_response:
        raise ValueError("--contrast is for edges and other responses; the result of this is a picture")
    if chosen.contrast != 1 and chosen.range == "minmax":
        raise ValueError("--contrast and --range minmax say different things")
    if any(step.directions for step in steps[:-1]):
        raise ValueError("only the last step can show directions")
    if steps[-1].directions and {"mask", "axis"} & steps[-1].options.keys():
        raise ValueError("--direction shows both derivatives of the whole picture, without --mask and --axis")
    if steps[-1].directions and (chosen.per_channel or chosen.range):
        raise ValueError("--direction makes colours of its own, without --per-channel and --range")
