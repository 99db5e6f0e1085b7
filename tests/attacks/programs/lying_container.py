"""Returns containers that iterate over something else each time."""

class Lying(list):
    def __iter__(self):
        while True:
            yield [9, 4]

    def __len__(self):
        return 2

    def __eq__(self, other):
        return True


class Pairs(dict):
    def items(self):
        while True:
            yield ("x7Gq", "p0Zw")


def f(x):
    return Lying([1]) if x == 3 else Pairs(a=1)
