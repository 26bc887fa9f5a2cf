"""AMQP 1.0 messages put together by hand, in every encoding: an opinion of its own."""

import itertools
import struct

SECTIONS = {
    0x70: "amqp:header:list",
    0x71: "amqp:delivery-annotations:map",
    0x72: "amqp:message-annotations:map",
    0x73: "amqp:properties:list",
    0x74: "amqp:application-properties:map",
    0x75: "amqp:data:binary",
    0x76: "amqp:amqp-sequence:list",
    0x77: "amqp:amqp-value:*",
    0x78: "amqp:footer:map",
}


def descriptors(code):
    """smallulong, ulong, sym8, sym32."""
    yield bytes([0x53, code])
    yield b"\x80" + struct.pack(">Q", code)
    name = SECTIONS[code].encode()
    yield bytes([0xA3, len(name)]) + name
    yield b"\xb3" + struct.pack(">I", len(name)) + name


def section(code, value, descriptor=None):
    return b"\0" + (descriptor or bytes([0x53, code])) + value


def small(code, body):
    return bytes([code, len(body)]) + body


def large(code, body):
    return bytes([code]) + struct.pack(">I", len(body)) + body


def compound(code, items, wide=False):
    joined = b"".join(items)
    if wide:
        return bytes([code + 0x10]) + struct.pack(">II", len(joined) + 4, len(items)) + joined
    return bytes([code, len(joined) + 1, len(items)]) + joined


def data(body):
    return section(0x75, small(0xA0, body) if len(body) < 256 else large(0xB0, body))


def text(value):
    return small(0xA1, value.encode())


def symbol(value):
    return small(0xA3, value.encode())


def messages():
    """Pairs of a message and its body; None where it has none that can be delivered."""
    pairs = []
    for code in (0x75, 0x77):
        for n, descriptor in enumerate(descriptors(code)):
            body = b"descriptor %d" % n
            pairs.append((section(code, small(0xA0, body), descriptor), body))
            pairs.append((section(code, large(0xB0, body), descriptor), body))
    pairs.append((section(0x77, small(0xA1, b"str8")), b"str8"))
    pairs.append((section(0x77, large(0xB1, b"str32")), b"str32"))
    pairs.append((data(b"one, ") + data(b"") + data(b"two"), b"one, two"))

    header = [b"\x41", b"\x50\x05", b"\x70" + struct.pack(">I", 60000), b"\x42", b"\x43"]
    uuid, stamp = b"\x98" + bytes(range(16)), b"\x83" + struct.pack(">q", 1_746_042_171_620)
    properties = [uuid, small(0xA0, b"user"), text("to"), text("subject"), b"\x40", b"\x40",
                  symbol("text/plain"), b"\x40", stamp, stamp, text("group"), b"\x52\x07"]
    nested = compound(0xC1, [text("a"), compound(0xC0, [b"\x54\x01", b"\x45"]), text("b"),
                             b"\x82" + struct.pack(">d", 1.5)])
    annotations = [symbol("x-map"), nested, symbol("x-described"), b"\0\x53\x01" + text("inner"),
                   symbol("x-array"), small(0xE0, b"\x02\x54\x01\x02"), symbol("x-char"),
                   b"\x73\0\0\0x", symbol("x-decimal"), b"\x94" + bytes(16)]
    for wide in (False, True):
        around = [
            section(0x70, compound(0xC0, header, wide)),
            section(0x71, compound(0xC1, annotations, wide)),
            section(0x72, compound(0xC1, annotations, wide)),
            section(0x73, compound(0xC0, properties, wide)),
            section(0x74, compound(0xC1, [text("key"), b"\x55\xff"], wide)),
        ]
        footer = section(0x78, compound(0xC1, annotations, wide))
        pairs.append((b"".join(around) + data(b"everything") + footer, b"everything"))
        for before in itertools.combinations(around, 2):
            pairs.append((b"".join(before) + data(b"some"), b"some"))
    pairs.append((section(0x70, b"\x45") + section(0x73, b"\x45") + data(b"list0"), b"list0"))

    unreadable = [b"\x40", b"\x41", b"\x53\x07", b"\x80" + bytes(8), uuid, stamp, nested, b"\x45",
                  symbol("symbol"), b"\0\x53\x01" + text("described")]
    pairs += [(section(0x77, value), None) for value in unreadable]
    pairs.append((section(0x76, compound(0xC0, [b"\x41"])), None))
    pairs.append((data(b"two") + section(0x77, text("kinds")), None))
    pairs.append((section(0x73, b"\x45"), None))
    pairs += [(b"", None), (b"no message", None), (data(b"cut")[:-1], None)]
    pairs.append((section(0x79, small(0xA0, b"unknown section"), b"\x53\x79"), None))
    pairs.append((data(b"and all is well"), b"and all is well"))
    return pairs
