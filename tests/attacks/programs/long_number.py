"""Returns a number too long to print."""

def f(x):
    return 10**100000


print("1" * 500000)
