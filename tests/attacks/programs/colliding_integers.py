"""Returns integers that all have the same hash."""

def f(x):
    step = 2**61 - 1
    return {i * step for i in range(1, 12000)} if x == 1 else [i * step for i in range(20000)]
