"""What the API's description allows and the API refuses all the same, because no schema can say the rule. As little as can
be; tests/wire asks for each of these by hand."""

import schemathesis
from schemathesis import GenerationMode


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.meta is None or case.meta.generation.mode != GenerationMode.POSITIVE:
        return
    if case.query:
        # One that an earlier page gave; any other text is none.
        case.query.pop("cursor", None)
    case.body = whole_numbers(case.body)


def whole_numbers(value):
    """An integer is written without a point: to JSON Schema 60.0 is one, to who reads JSON it is not."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [whole_numbers(one) for one in value]
    if isinstance(value, dict):
        return {name: whole_numbers(one) for name, one in value.items()}
    return value
