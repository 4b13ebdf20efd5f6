def coverage(a, b, c):
    return {}
