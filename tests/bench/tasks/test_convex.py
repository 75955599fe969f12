from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from optreg.bench.tasks.convex import CANCER, RIDGE, cancer_data, cancer_optimum, diabetes_data, logistic, ridge_optimum
from optreg.bench.tasks.newton import Expansion, NotConverged, minimise


def test_newton_finds_the_optimum_of_the_cancer_problem_as_scipy_does() -> None:
    ours = cancer_optimum()
    theirs = minimize(
        lambda w: logistic(w).value,
        np.zeros(31),
        jac=lambda w: logistic(w).gradient,
        hess=lambda w: logistic(w).hessian,
        method="trust-exact",
        options={"gtol": 1e-13},
    )
    assert abs(ours.value - theirs.fun) < 1e-12
    assert np.abs(logistic(ours.point).gradient).max() < 1e-14


def test_the_gap_that_the_reference_solver_leaves_is_below_one_in_ten_billion() -> None:
    assert 0 <= cancer_optimum().gap <= 1e-10
    assert 0 <= ridge_optimum().gap <= 1e-10


def test_the_cancer_problem_is_that_of_scikit_learn() -> None:
    features, classes = load_breast_cancer(return_X_y=True)
    # scikit-learn's objective is C times the sum of losses plus half the squared norm: C = 1 / (569 * decay).
    columns = np.column_stack([StandardScaler().fit_transform(features), np.ones(569)])
    fitted = LogisticRegression(C=1 / (569 * 1e-3), fit_intercept=False, tol=1e-10, max_iter=10_000).fit(
        columns, classes
    )
    assert logistic(fitted.coef_[0]).value == pytest.approx(cancer_optimum().value, abs=1e-9)


def test_the_closed_form_of_ridge_is_that_of_scikit_learn() -> None:
    features, targets = load_diabetes(return_X_y=True)
    columns = np.column_stack([StandardScaler().fit_transform(features), np.ones(442)])
    fitted = Ridge(alpha=442 * 1e-3, fit_intercept=False, tol=1e-12).fit(
        columns, (targets - targets.mean()) / targets.std()
    )
    np.testing.assert_allclose(ridge_optimum().point, fitted.coef_, atol=1e-9)


def test_derivatives_of_the_logistic_loss_agree_with_differences() -> None:
    point = np.linspace(-0.5, 0.5, 31)
    here = logistic(point)
    steps = 1e-6 * np.eye(31)
    slopes = [(logistic(point + step).value - logistic(point - step).value) / 2e-6 for step in steps]
    curves = [(logistic(point + step).gradient - logistic(point - step).gradient) / 2e-6 for step in steps]
    np.testing.assert_allclose(here.gradient, slopes, atol=1e-8)
    np.testing.assert_allclose(here.hessian, curves, atol=1e-8)


@pytest.mark.parametrize(
    ("task", "optimum"), [(CANCER, cancer_optimum), (RIDGE, ridge_optimum)], ids=["cancer", "ridge"]
)
def test_the_metric_is_the_exact_gap_and_zero_at_the_optimum(task, optimum) -> None:
    problem = task.make(0, 3)
    assert float(problem.judge([optimum().point])[1]) == pytest.approx(0, abs=1e-15)
    rounded = float(problem.judge([optimum().point.astype(np.float32)])[1])
    assert 0 <= rounded < 1e-12
    start = float(problem.judge(problem.weights)[1])
    assert start > 0.1
    # The loss trained on is the loss judged, up to float32.
    assert float(problem.loss(problem.weights, problem.batches[0])) == pytest.approx(start + optimum().value, rel=1e-5)


def test_a_batch_that_is_everything_names_every_example_once() -> None:
    for task, data in ((CANCER, cancer_data), (RIDGE, diabetes_data)):
        batches = task.make(0, 2).batches.numpy()
        assert sorted(batches[0]) == list(range(len(data().targets)))


def test_newton_says_when_there_is_nothing_to_find() -> None:
    def steep(point: np.ndarray) -> Expansion:
        # exp(x) falls for ever: convex without a minimum.
        value = float(np.exp(point[0]))
        return Expansion(value, np.array([value]), np.array([[value]]))

    with pytest.raises(NotConverged, match="left a gap of"):
        minimise(lambda point: steep(point)._replace(hessian=np.array([[1e9]])), np.zeros(1))
