"""One problem as the process was given it: the weight, the tokens, and what the structure is made of."""

import numpy

types = {"f32": numpy.float32, "i8": numpy.int8, "i32": numpy.int32}


class Problem:
    def __init__(self, request, kept):
        self.arrays = dict(kept.arrays) if request["keep"] and kept is not None else {}
        for name, part in request["files"].items():
            self.arrays[name] = numpy.fromfile(part["file"], dtype=types[part["type"]]).reshape(part["shape"])
        self.out, self.inputs, self.batch = request["out"], request["inputs"], request["batch"]
        self.threads, self.copies = request["threads"], request["copies"]
        self.compact_copies = request["compactCopies"]
        self.group, self.compiled = request["group"], request["compiled"]
        # Entries of a row with one scale; 0 where the weight is not quantized.
        self.block = request["block"]
        self.numbers = request["numbers"]
        self.held_down = request["heldDown"]
        self.weight, self.x = self.arrays["weight"], self.arrays["x"]

    def part(self, name):
        return self.arrays[name]

    def has(self, name):
        return name in self.arrays
