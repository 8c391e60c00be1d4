"""Suggestions for an invalid place in a recipe: the valid keys, texts and ways to make a word."""

import json
import re
from typing import Final

import msgspec.inspect
from msgspec.inspect import DictType, LiteralType, StrType, StructType, Type, UnionType, VarTupleType

_PLACE: Final = re.compile(r" - at `\$(?P<path>[^`]*)`")
_STEP: Final = re.compile(r"\.(?P<key>\w+)|\[")


def suggest(complaint: str, root: type) -> str:
    """Return a sentence on what is valid at the place that an error of msgspec names. It may be empty.

    msgspec writes a place as `$.parties[...].kind`, where `$` is a value of the type `root`.
    """
    found = _PLACE.search(complaint)
    path = found["path"] if found else ""
    options = _options(msgspec.inspect.type_info(root))
    for step in _STEP.finditer(path.removesuffix(".make")):
        options = [option for inner in options for option in _inside(inner, step["key"])]
    literals = [json.dumps(v) for o in options if isinstance(o, LiteralType) for v in o.values]
    if literals:
        return f" Valid are {', '.join(literals)}."
    structs = [option for option in options if isinstance(option, StructType)]
    made = [
        f'{{ make = "{struct.tag}", {_keys(struct, " = ..., ")} = ... }}'
        for struct in structs
        if _takes(struct)
    ]
    made += [f'{{ make = "{struct.tag}" }}' for struct in structs if struct.tag and not struct.fields]
    if made:
        column = ["the name of a column"] if any(isinstance(option, StrType) for option in options) else []
        return f" Valid are {', '.join([*column, *made])}."
    return "".join(f" Its keys are {_keys(struct, ', ')}." for struct in structs)


def _takes(struct: StructType) -> bool:
    return bool(struct.tag and struct.fields)


def _keys(struct: StructType, between: str) -> str:
    return between.join(field.encode_name for field in struct.fields)


def _inside(option: Type, key: str | None) -> list[Type]:
    """Return the types one step further inside: under a key, or if it is None, as an item or under any name."""
    match option:
        case StructType(fields=fields):
            return [o for field in fields if field.encode_name == key for o in _options(field.type)]
        case DictType(value_type=inner) | VarTupleType(item_type=inner):
            return _options(inner)
        case _:
            return []


def _options(declared: Type) -> list[Type]:
    return list(declared.types) if isinstance(declared, UnionType) else [declared]
