"""scipy, numpy and scikit-learn: the floor that everybody has installed."""


def sparse_rows(problem):
    import scipy.sparse

    matrices = [scipy.sparse.csr_matrix(problem.weight) for _ in range(problem.compact_copies)]
    turned = problem.x.T.copy()
    return {"scipy sparse rows": ("structured", [lambda m=m: (m @ turned).T for m in matrices])}


def largest(problem):
    import numpy

    values = problem.weight.reshape(-1)
    count = round(problem.numbers["keep"] * values.size)
    return {"numpy.argpartition": ("structured", [lambda: numpy.argpartition(-numpy.abs(values), count)[:count]])}


def factors(problem):
    from sklearn.utils.extmath import randomized_svd

    rank = int(problem.numbers["r"])
    run = lambda: randomized_svd(problem.weight, rank, n_oversamples=8, n_iter=2, random_state=1)
    return {"sklearn randomized_svd": ("structured", [run])}
