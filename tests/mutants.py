"""Mutation tests: do the tests notice small mistakes, put into the sources one at a time?

    python tests/mutants.py [PATH ...]

Each mutant is an entry of the table below: a file, a text that occurs in it once, and a wrong text
that replaces it. The mutant is made in a copy of the source tree, in a temporary folder. There
``pytest -x -q`` runs the tests named after its module, then those of its folder, then those of
PATH ... (default: ``tests``), until some notice it. A failing test or a crash kills the mutant. A
mutant that survives shows a gap in the tests. The exit status is the number of survivors.

    --list         Print the mutants and what they change, without running tests.
    --only NAME    Run only this mutant; may be given several times.
    --group GROUP  "python" (the default), "engine" or "all". Mutants of the engine are compiled in
                   the copy first, only for x86-64-v3, which the CPU must support.
    --tree FOLDER  The source tree to copy, compiled in place; by default that of this file.
    --jobs N       Number of mutants to run at a time, each in its own copy.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
SOURCES = Path("src/cymlp")
MAX_SECONDS = 1200  # of a test run; a hang kills a mutant too


class Mutant(NamedTuple):
    """A text and the wrong text that replaces it; ``file`` is relative to src/cymlp."""

    name: str
    file: str
    old: str
    new: str
    group: str = "python"


MUTANTS = [
    # A network's parameters.
    Mutant(
        "a copied network shares its parameters", "_network/network.py",
        "return Network(self.units, self.parameters.copy())",
        "return Network(self.units, self.parameters)",
    ),
    Mutant(
        "arrays put into coefs_ are not noticed", "_network/network.py",
        "len(own) == len(given) and all(map(is_, own, given))", "len(own) == len(given)",
    ),
    Mutant(
        "one float32 array makes a network float32", "_network/network.py",
        "single = all(", "single = any(",
    ),
    Mutant(
        "variance by fan_out", "_network/initializers.py",
        '"lecun_normal": lambda fan_in, fan_out: 1 / fan_in',
        '"lecun_normal": lambda fan_in, fan_out: 1 / fan_out',
    ),
    Mutant(
        "normal numbers cut off are too small", "_network/initializers.py",
        "numbers * (deviation / _TRUNCATED_DEVIATION)", "numbers * deviation",
    ),
    Mutant(
        "glorot's bound for logistic", "_network/initializers.py",
        'factor = 2.0 if first == "logistic" else 6.0', "factor = 6.0",
    ),
    Mutant(
        "penalty without its half", "_network/gradient.py",
        "0.5 * l2 * np.vdot(W, W)", "l2 * np.vdot(W, W)",
    ),
    Mutant(
        "penalty over samples, not weights", "_network/gradient.py",
        "G += (l2 * W + l1 * np.sign(W)) / total",
        "G += (l2 * W + l1 * np.sign(W)) / dataset.n_samples",
    ),
    Mutant(
        "the last slice is lost if it is one row", "_network/arrays.py",
        "range(0, n_rows, rows_per_slice)", "range(0, n_rows - 1, rows_per_slice)",
    ),
    Mutant(
        "a single value that overflows", "_network/arrays.py",
        "np.isinf(numbers).any()", "np.isinf(numbers).all()",
    ),
    Mutant(
        "layers of no units", "_network/layer_sizes.py", "any(size <= 0", "any(size < 0",
    ),
    # Training.
    Mutant(
        "one epoch less of patience", "_training/stopping.py",
        "n_epochs_without_progress <= config", "n_epochs_without_progress < config",
    ),
    Mutant(
        "progress without tol", "_training/stopping.py",
        "not loss > best - self._config.tol", "not loss > best",
    ),
    Mutant(
        "the best parameters go on changing", "_training/stopping.py",
        "self.best_parameters = network.parameters.copy()",
        "self.best_parameters = network.parameters",
    ),
    Mutant(
        "the last of equal scores is best", "_training/stopping.py",
        "if score > best:", "if score >= best:",
    ),
    Mutant(
        "no return to the best parameters", "_training/stochastic.py",
        "if stopping.best_parameters is not None:", "if False:",
    ),
    Mutant(
        "invscaling begins a sample early", "_training/optimizers.py",
        "(n_samples_seen + 1)", "(n_samples_seen + 2)",
    ),
    Mutant(
        "the least adaptive rate", "_training/optimizers.py",
        "self.learning_rate <= 1e-6", "self.learning_rate <= 1e-5",
    ),
    Mutant(
        "an optimizer of another dtype", "_training/optimizers.py",
        "or self.state.dtype != parameters.dtype", "or False",
    ),
    Mutant(
        "each epoch is shuffled from the start", "_training/windows.py",
        "permutation if order is None else order[permutation]", "permutation",
    ),
    Mutant(
        "the last mini-batch is not in a schedule's total", "_training/stochastic.py",
        "per_epoch = -(-self._n_samples // self._batch_size)",
        "per_epoch = self._n_samples // self._batch_size",
    ),
    Mutant(
        "a record's mean is never reset", "_training/stochastic.py",
        "self._record_loss, self._last_time = RunningMean(), now", "self._last_time = now",
    ),
    Mutant(
        "records begin anew in each epoch", "_training/stochastic.py",
        "(every - self._n_batches % every)", "every",
    ),
    Mutant(
        "a mean of parts of unequal sizes", "_training/history.py",
        "(n / (self.n + n))", "0.5",
    ),
    Mutant(
        "scores of training add up", "_training/history.py", "self.sums[...] = 0", "pass",
    ),
    Mutant(
        "one row held out", "_training/data.py", "len(validation) < 2", "len(validation) < 1",
    ),
    Mutant(
        "L-BFGS keeps its parameters to itself", "_training/lbfgs.py",
        "network.parameters[...] = intermediate_result.x", "pass",
    ),
    Mutant(
        "the greater loss is better", "_training/validation.py",
        "watched = -loss.value", "watched = loss.value",
    ),
    Mutant(
        "an unchecked batch size of 0", "_training/config.py",
        "min(max(int(self.batch_size), 1), n_samples)", "min(int(self.batch_size), n_samples)",
    ),
    # Estimators.
    Mutant(
        "L2 beside L1", "_estimators/configuration.py",
        "float(alpha * (1 - ratio))", "float(alpha)",
    ),
    Mutant(
        "class weights in rows held out", "_estimators/base.py",
        "replace(data, weights=score_weights)", "data",
    ),
    Mutant(
        "a new fit continues with the old optimizer", "_estimators/base.py",
        "optimizer=optimizer if incremental else None", "optimizer=optimizer",
    ),
    Mutant(
        "a partial_fit that failed keeps its optimizer", "_estimators/base.py",
        'self.__dict__.pop("_optimizer", None)\n            raise', "pass\n            raise",
    ),
    Mutant(
        "lists stay longer after a fit that failed", "_estimators/fitted_state.py",
        "del attribute[length:]", "pass",
    ),
    Mutant(
        "best_iteration_ of an earlier fit", "_estimators/fitted_state.py",
        'fitted.pop("best_iteration_", None)', "pass",
    ),
    Mutant(
        "one class alone is the second", "_estimators/targets.py",
        "& (len(self.classes) == 2)", "",
    ),
    Mutant(
        "labels of several columns are stratified", "_estimators/targets.py",
        "targets.dtype == bool and targets.shape[1] == 1", "targets.dtype == bool",
    ),
    Mutant(
        "log-odds of the first class", "_estimators/classifier.py",
        "Z = Z[:, 1:] - Z[:, :1]", "Z = Z[:, :1] - Z[:, 1:]",
    ),
    Mutant(
        "a function is called for an epoch cut short", "_estimators/callbacks.py",
        "estimator.n_iter_ <= context.task_id", "estimator.n_iter_ < context.task_id",
    ),
    Mutant(
        "a schedule cut short late", "_estimators/warning.py",
        "0 < 2 * n_iter < max_iter", "0 < n_iter < max_iter",
    ),
    Mutant(
        "numbers too large for the network", "_estimators/input_validation.py",
        "        raise too_large(\"X\", dtype)", "        pass",
    ),
    Mutant(
        "scikit-learn copies X to look for NaN", "_estimators/input_validation.py",
        "ensure_all_finite=not is_finite,", "ensure_all_finite=True,",
    ),
    Mutant(
        "a scaler that clips", "_estimators/folding.py",
        'if getattr(scaler, "clip", False):', "if False:",
    ),
    Mutant(
        "the optimizer of the scaled features goes on", "_estimators/folding.py",
        'result.__dict__.pop("_optimizer", None)', "pass",
    ),
    Mutant(
        "training goes on in another dtype", "_estimators/base.py",
        "if self.dtype is not None and network.parameters.dtype != self.dtype:", "if False:",
    ),
    Mutant(
        "parameters are remembered though they may change", "_estimators/remembering.py",
        "if all(map(_cannot_change, values)):", "if True:",
    ),
    Mutant(
        "a RandomState is used again after an error", "_estimators/random_states.py",
        "    yield own\n    _idle.append(own)",
        "    try:\n        yield own\n    finally:\n        _idle.append(own)",
    ),
    Mutant(
        "labels beyond the last class are known", "_estimators/targets.py",
        'mode="clip") == y', 'mode="clip") <= y',
    ),
    Mutant(
        "weights whose sum is too large", "_estimators/input_validation.py",
        "or total > 1 / least", "",
    ),
    Mutant(
        "index pointers that fall", "_network/sparse.py",
        "if (checked.indptr[1:] < checked.indptr[:-1]).any():", "if False:",
    ),
    # Data read by slices.
    Mutant(
        "a window is overwritten while it is used", "_network/windows.py",
        "if len(self._memory) < 2:", "if len(self._memory) < 1:",
    ),
    Mutant(
        "a reader goes on to the end of its window", "_network/windows.py",
        "stopped.set()", "pass",
    ),
    Mutant(
        "the same blocks in each epoch", "_training/windows.py",
        "random_state.permutation(self._reader.n_blocks)", "range(self._reader.n_blocks)",
    ),
    Mutant(
        "windows cut mini-batches", "_training/windows.py",
        "source.window_rows // batch_size * batch_size", "source.window_rows",
    ),
    Mutant(
        "every window ends an epoch", "_training/windows.py", "n_left == 0", "True",
    ),
    Mutant(
        "windows count alike in L-BFGS", "_training/lbfgs.py",
        "weight = part.total_weight", "weight = 1.0",
    ),
    Mutant(
        "rows held out are trained on", "_training/data.py",
        "np.stack([before, after], axis=1)", "np.stack([before, held_out, after], axis=1)",
    ),
    Mutant(
        "a file that shrinks by less than a page", "_network/row_source.py",
        "if file.size() < expected:", "if file.size() + 4096 < expected:",
    ),
    Mutant(
        "the row that is not finite, from its slice", "_network/row_source.py",
        "is in row {start + row}", "is in row {row}",
    ),
    # Files.
    Mutant(
        "a hole between arrays of a file", "_safetensors.py", "if start != end:", "if start < end:",
    ),
    Mutant(
        "bytes after the arrays of a file", "_safetensors.py",
        "if end != size - 8 - length:", "if end > size - 8 - length:",
    ),
    Mutant(
        "sizes that overflow", "_safetensors.py", "math.prod(n or 1 for n in shape)",
        "math.prod(shape)",
    ),
    Mutant(
        "a file with new permissions", "_safetensors.py", "os.chmod(temporary, mode)", "pass",
    ),
    Mutant(
        "a file written in its place", "_safetensors.py",
        'os.path.join(folder, f".cymlp-{secrets.token_hex(8)}.tmp")', "target",
    ),
    Mutant(
        "half-written files stay", "_safetensors.py", "os.unlink(temporary)", "pass",
    ),
    Mutant(
        "files are written unchecked", "_estimators/saving.py",
        "restore(type(self), tensors, parse(text))", "parse(text)",
    ),
    Mutant(
        "an optimizer of other weights is saved", "_estimators/saving.py",
        " and optimizer.matches(network.parameters)", "",
    ),
    Mutant(
        "a loaded optimizer is not checked", "_estimators/restoring.py",
        "if not _are_settings(settings, expected):", "if False:",
    ),
    Mutant(
        "the size of the fit is taken for the parameter", "_estimators/restoring.py",
        "estimator.hidden_layer_sizes = sizes", "pass",
    ),
    Mutant(
        "classes in any order", "_estimators/restoring.py",
        "if not (classes[1:] > classes[:-1]).all():", "if False:",
    ),
    Mutant(
        "validation of a file can be switched off", "_estimators/restoring.py",
        "config_context(skip_parameter_validation=False)", "config_context()",
    ),
    Mutant(
        "a tuple becomes a list", "_estimators/json_values.py",
        '"tuple": lambda content: tuple(_list(content))', '"tuple": _list',
    ),
    # Schedules and parameters.
    Mutant(
        "a warm-up of one update more", "schedules.py", "step < warmup,", "step <= warmup,",
    ),
    Mutant(
        "shares are rounded down", "schedules.py",
        "round(float(steps) * total)", "int(float(steps) * total)",
    ),
    Mutant(
        "restarts put off by rounding", "schedules.py", "margin = 1e-9", "margin = 0.0",
    ),
    Mutant(
        "a bound that belongs to its interval", "_constraints.py",
        "value > low)", "value >= low)",
    ),
    # ONNX models.
    Mutant(
        "the second of two classes at 0.5", "onnx/_predictions.py",
        'numbers = graph.node("Cast", graph.node("Greater"',
        'numbers = graph.node("Cast", graph.node("GreaterOrEqual"',
    ),
    Mutant(
        "a label of several at 0.5", "onnx/_predictions.py",
        'label = graph.node("Cast", graph.node("Greater"',
        'label = graph.node("Cast", graph.node("GreaterOrEqual"',
    ),
    Mutant(
        "a class is missing beside the only one", "onnx/_predictions.py",
        "np.resize(classes, 2)", "classes",
    ),
    Mutant(
        "labels of 32 bits", "onnx/_predictions.py", '"i": np.int64', '"i": np.int32',
    ),
    Mutant(
        "nodes are named like columns", "onnx/_export.py",
        "unique_names([*inputs, *_OUTPUTS])", "unique_names(_OUTPUTS)",
    ),
    Mutant(
        "Sigmoid has no right digits below 0", "onnx/_activations.py",
        "return 1 / (1 + _exp(-z))", 'return z.graph.node("Sigmoid", z)',
    ),
    Mutant(
        "elu cancels near 0", "onnx/_activations.py",
        "return 2 * t / (1 - t)", "return _exp(_min(z, 0)) - 1",
    ),
    Mutant(
        "softplus cancels far below 0", "onnx/_activations.py",
        'u * graph.node("Where", is_tiny, 1, slope)', 'graph.node("Log", v)',
    ),
    Mutant(
        "gelu of a polynomial too short", "onnx/_activations.py", ", 14, domain=", ", 8, domain=",
    ),
    Mutant(
        "bool labels for skl2onnx", "onnx/_skl2onnx.py", "if classes.dtype == bool or", "if",
    ),
    Mutant(
        "skl2onnx's models are always float32", "onnx/_skl2onnx.py",
        "np.float64 if is_double else np.float32", "np.float32",
    ),
    # The engine, then its kernels.
    Mutant(
        "parts end within a cache line", "_engine/run.pxd",
        "units * (rank + 1) // size * unit)", "units * (rank + 1) // size)", "engine",
    ),
    Mutant(
        "threads share their scratch memory", "_engine/run.pxd",
        "(space.scratch + rank * space.scratch_size)", "space.scratch", "engine",
    ),
    Mutant(
        "no wait for the others' partial products", "_engine/step.pxd",
        "        wait_for_others(run, parts[0])\n        # Neither", "        # Neither", "engine",
    ),
    Mutant(
        "no wait for the others' deltas", "_engine/step.pxd",
        "forward_backward(run, &part, parameters)\n        wait_for_others(run, parts[0])",
        "forward_backward(run, &part, parameters)", "engine",
    ),
    Mutant(
        "no wait for the others' norms", "_engine/step.pxd",
        "if clips(&step.rule):\n        wait_for_others(run, parts[0])",
        "if clips(&step.rule):", "engine",
    ),
    Mutant(
        "full chunks are never the last", "_engine/step.pxd",
        "start + R >= n", "start + R > n", "engine",
    ),
    Mutant(
        "the first learning rate for all updates", "_engine/step.pxd",
        "run.rates[step.rule.n_updates - run.first_update]", "run.rates[0]", "engine",
    ),
    Mutant(
        "deltas through the weights of the layer below", "_engine/passes.pxd",
        "D, h, parameters + architecture.W[layer], h,",
        "D, h, parameters + architecture.W[layer - 1], h,", "engine",
    ),
    Mutant(
        "dropout of the first rows for each part", "_engine/passes.pxd",
        "part.batch.first - part.step.batch.first,", "0,", "engine",
    ),
    Mutant(
        "dropout by the layer alone", "_engine/passes.pxd",
        "layer_key(run.seed, part.step.rule.n_updates, layer)", "layer_key(0, 0, layer)", "engine",
    ),
    Mutant(
        "labels are smoothed as classes", "_engine/passes.pxd",
        "(2 if architecture.output_activation == OUTPUT_LOGISTIC else k)", "k", "engine",
    ),
    Mutant(
        "all columns of X's gradient are its first", "_engine/passes.pxd",
        "part.batch.first * d + start", "part.batch.first * d", "engine",
    ),
    Mutant(
        "the last row is not checked for NaN", "_engine/passes.pxd",
        "are_finite(X, n, architecture.units[0], stride)",
        "are_finite(X, n - 1, architecture.units[0], stride)", "engine",
    ),
    Mutant(
        "the gradient of the last chunk alone", "_engine/update.pxd",
        "keep = not step.is_first", "keep = 0", "engine",
    ),
    Mutant(
        "one L2 coefficient for all layers", "_engine/update.pxd",
        "run.architecture.alpha * block.l2_share / step.weight",
        "run.architecture.alpha / step.weight", "engine",
    ),
    Mutant(
        "each part is clipped by its own norm", "_engine/update.pxd",
        "norm = hypot(norm, run.norms[other])",
        "norm = hypot(norm, run.norms[part.rank])", "engine",
    ),
    Mutant(
        "penalties pile up", "_engine/update.pxd",
        "run.squares[rank] = run.sizes[rank] = run.norms[rank] = 0",
        "run.sizes[rank] = run.norms[rank] = 0", "engine",
    ),
    Mutant(
        "intercepts decay", "_engine/update.pxd",
        "(rule.weight_decay if block.decays else 0) + l2", "rule.weight_decay + l2", "engine",
    ),
    Mutant(
        "sums of deltas over the gradient", "_engine/update.pxd",
        "scratch + run.space.gradient + run.architecture.widest",
        "scratch + run.space.gradient", "engine",
    ),
    Mutant(
        "L1 not divided by the weight", "_engine/update.pxd",
        "block.l1 / part.step.weight", "block.l1", "engine",
    ),
    Mutant(
        "norms that overflow stay infinite", "_engine/update.pxd",
        "if run.norms[rank] == INFINITY:", "if False:", "engine",
    ),
    Mutant(
        "the first sparse feature of a part is left out", "_engine/dataset.pxd",
        "if features.start <= feature", "if features.start < feature", "engine",
    ),
    Mutant(
        "classes in X's order", "_engine/dataset.pxd",
        "targets.buf)[sample_of(batch, i)]] = 1", "targets.buf)[batch.first + i]] = 1", "engine",
    ),
    Mutant(
        "the barrier stays open", "_engine/team.pxd",
        "    write(&barrier.arrived, 0)\n", "", "engine",
    ),
    Mutant(
        "weights lie on the targets", "_engine/workspace.pxd",
        "space.w = space.T + up(R * k)", "space.w = space.T", "engine",
    ),
    Mutant(
        "derivatives are kept if the last layer needs them", "_engine/architecture.pyx",
        "self.fields.keeps_derivatives |= keeps_derivative(&self.fields, layer)",
        "self.fields.keeps_derivatives = keeps_derivative(&self.fields, layer)", "engine",
    ),
    Mutant(
        "an order beyond the samples", "_engine/engine.pyx",
        "if not 0 <= order[i] < run.dataset.n_samples:",
        "if not 0 <= order[i] <= run.dataset.n_samples:", "engine",
    ),
    Mutant(
        "all threads predict the first rows", "_engine/engine.pyx",
        "start = rank * run.space.R", "start = 0", "engine",
    ),
    Mutant(
        "C counts again for each block of B's rows", "_engine/kernels/gemm.pxd",
        "beta, C_in, ldc_in = 1, C, ldc", "C_in, ldc_in = C, ldc", "engine",
    ),
    Mutant(
        "one column of C for each block of B's", "_engine/kernels/gemm.pxd",
        "C_in + i * ldc_in + first + j", "C_in + i * ldc_in + j", "engine",
    ),
    Mutant(
        "a tile's sums go one too far", "_engine/kernels/tile.h",
        "p + s >= k", "p + s > k", "engine",
    ),
    Mutant(
        "a tile's last column is not written", "_engine/kernels/tile.h",
        "c < part; c++", "c < part - 1; c++", "engine",
    ),
    Mutant(
        "one row times B without its end", "_engine/kernels/tile.h",
        "for (; p < k; p++)\n        for (ptrdiff_t j = 0; j < n; j++)\n            C[j] +=",
        "for (; p + 1 < k; p++)\n        for (ptrdiff_t j = 0; j < n; j++)\n            C[j] +=",
        "engine",
    ),
    Mutant(
        "an outer product adds to NaN", "_engine/kernels/tile.h",
        "        if (beta != 0)\n            for (ptrdiff_t j",
        "        if (1)\n            for (ptrdiff_t j", "engine",
    ),
    Mutant(
        "the last columns are transposed from the second row on", "_engine/kernels/tile.h",
        "for (ptrdiff_t p = 0; p < k; p++)\n            packed[p * width + j] =",
        "for (ptrdiff_t p = 1; p < k; p++)\n            packed[p * width + j] =", "engine",
    ),
    Mutant(
        "BLAS transposes B as A", "_engine/kernels/blas.pxd",
        "c'T' if transpose_b else", "c'T' if transpose_a else", "engine",
    ),
    Mutant(
        "gelu' without z", "_engine/kernels/activations.pxd",
        "= phi + z * (", "= phi + (", "engine",
    ),
    Mutant(
        "relu hides NaN", "_engine/kernels/activations.pxd",
        "return 0 if z < 0 else z", "return z if z > 0 else 0", "engine",
    ),
    Mutant(
        "Huber's loss without its half", "_engine/kernels/losses.pxd",
        "(residual - <floating>0.5 * derivative)", "(residual - derivative)", "engine",
    ),
    Mutant(
        "the quantile loss hides NaN", "_engine/kernels/losses.pxd",
        "else -under if residual <= 0 else residual", "else -under", "engine",
    ),
    Mutant(
        "squared errors are summed", "_engine/kernels/losses.pxd",
        "0.5 * loss / h", "0.5 * loss", "engine",
    ),
    Mutant(
        "half precision's infinity is a number", "_engine/kernels/conversion.pxd",
        "112u << 23 : 224u << 23", "112u << 23 : 112u << 23", "engine",
    ),
    Mutant(
        "only 1 is true", "_engine/kernels/conversion.pxd",
        "<floating>(source[i] != 0)", "<floating>(source[i] == 1)", "engine",
    ),
    Mutant(
        "only the first numbers are looked at", "_engine/dataset.pxd",
        "            j += some", "            j = d", "engine",
    ),
    Mutant(
        "Adam always uses the first bias correction", "_engine/kernels/update_rules.pxd",
        "(1 - rule.beta_1 ** rule.n_updates)", "(1 - rule.beta_1)", "engine",
    ),
    Mutant(
        "the soft threshold forgets the momentum", "_engine/kernels/update_rules.pxd",
        "if rule.name != SGD and rule.momentum < 1:", "if False:", "engine",
    ),
    Mutant(
        "the soft threshold hides NaN", "_engine/kernels/update_rules.pxd",
        "else 0 * w", "else 0", "engine",
    ),
    Mutant(
        "Nesterov's momentum does not look ahead", "_engine/kernels/update_rules.pxd",
        "w[i] += momentum * velocity[i] - step", "w[i] += velocity[i]", "engine",
    ),
    Mutant(
        "derivatives are not dropped", "_engine/kernels/dropout.pxd",
        "F[i * h + j] *= factor", "F[i * h + j] *= kept", "engine",
    ),
    Mutant(
        "exp has no subnormal results", "_engine/kernels/elementary.pxd",
        "x = x < -104.0f ? -104.0f : x;", "x = x < -87.0f ? -87.0f : x;", "engine",
    ),
    Mutant(
        "the fourth thread's products are lost", "_engine/kernels/elements.pxd",
        "range(3, n_parts)", "range(4, n_parts)", "engine",
    ),
    Mutant(
        "0 times NaN", "_engine/kernels/elements.pxd",
        "factor * x[i] if factor != 0 else 0", "factor * x[i]", "engine",
    ),
    Mutant(
        "a sum of squares without its last", "_engine/kernels/reductions.h",
        "for (; i < size; i++)", "for (; i < size - 1; i++)", "engine",
    ),
    Mutant(
        "a sum of sizes without one of its last", "_engine/kernels/reductions.pxd",
        "for i in range(i, size):", "for i in range(i + 1, size):", "engine",
    ),
    Mutant(
        "sums of columns begin anywhere", "_engine/kernels/reductions.pxd",
        "    for j in range(h):\n        s[j] = 0\n", "", "engine",
    ),
    Mutant(
        "subnormals stay 0 after a run", "_engine/kernels/subnormals.pxd",
        "_mm_setcsr((unsigned int)before);", "(void)before;", "engine",
    ),
]  # fmt: skip


def is_killed(mutant: Mutant, tree: Path, paths: list[str]) -> bool:
    """Make the mutant in a copy of the tree; return whether a test fails."""
    with tempfile.TemporaryDirectory(prefix="cymlp-mutant-") as folder:
        copy = Path(folder) / "cymlp"
        # The engine's mutants reuse what has been compiled already.
        build_folder = () if mutant.group == "engine" else ("build",)
        ignored = shutil.ignore_patterns(".git", "__pycache__", ".*_cache", "_build", *build_folder)
        shutil.copytree(tree, copy, ignore=ignored)
        file = copy / SOURCES / mutant.file
        source = file.read_text(encoding="utf-8")
        if source.count(mutant.old) != 1:
            raise ValueError(f"{mutant.file} must have {mutant.old!r} once, for {mutant.name!r}")
        file.write_text(source.replace(mutant.old, mutant.new), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(copy / "src")}
        if mutant.group == "engine":
            environment["CYMLP_INSTRUCTION_SET"] = "x86-64-v3"
            build = [sys.executable, "-c", BUILD, "build_ext", "--inplace"]
            subprocess.run(build, cwd=copy, env=environment, check=True, capture_output=True)
        return any(
            fails(tests, copy, environment) for tests in (*nearest_tests(mutant, copy), paths)
        )


# Runs setup.py for the modules of one instruction set, with little optimisation, to be quick.
# "engine" and "engine_v4" are left out in favour of "engine_v3"; "team" has a single build.
BUILD = """
import runpy
import setuptools

def setup_v3(ext_modules, **settings):
    names = {module.name for module in ext_modules}
    kept = [m for m in ext_modules if m.name.removesuffix("_v4") + "_v3" not in names]
    for module in kept:
        module.extra_compile_args = [*module.extra_compile_args, "-O1"]
    setup(ext_modules=kept, **settings)

setup, setuptools.setup = setuptools.setup, setup_v3
runpy.run_path("setup.py")
"""


def nearest_tests(mutant: Mutant, tree: Path) -> list[list[str]]:
    """The tests that are most likely to notice a mutant, to be run first.

    First those named after the mutant's module, then all in its folder.
    """
    file = Path(mutant.file)
    folder = tree.joinpath("tests", *(part.lstrip("_") for part in file.parent.parts))
    named_like_it = sorted(map(str, folder.glob(f"test_{file.stem.lstrip('_')}*.py")))
    of_its_folder = [str(folder)] if file.parent.parts and folder.is_dir() else []
    return [tests for tests in (named_like_it, of_its_folder) if tests]


def fails(paths: list[str], tree: Path, environment: dict[str, str]) -> bool:
    """Whether a test in these paths of the tree fails."""
    options = ["-x", "-q", "-p", "no:cacheprovider"]
    try:
        result = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *paths],
            cwd=tree, env=environment, capture_output=True, text=True, timeout=MAX_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:  # a deadlock between threads
        return True
    # 1: a test failed; 2: a test could not be collected; negative: the process crashed, for example
    # because of an index out of bounds. Any other code gives no result.
    if result.returncode > 2:
        raise RuntimeError(f"pytest could not run:\n{result.stdout}{result.stderr}")
    return result.returncode != 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paths", nargs="*", default=["tests"])
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", action="append")
    parser.add_argument("--group", choices=["python", "engine", "all"], default="python")
    parser.add_argument("--tree", type=Path, default=ROOT)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    chosen = [
        mutant
        for mutant in MUTANTS
        if (mutant.name in options.only if options.only else options.group in (mutant.group, "all"))
    ]
    if options.list:
        for mutant in chosen:
            print(f"{mutant.name}\n    {mutant.file}: {mutant.old!r} -> {mutant.new!r}")
        return 0

    def verdict(mutant: Mutant) -> bool:
        killed = is_killed(mutant, options.tree, options.paths)
        print(f"{'killed' if killed else 'SURVIVED':8}  {mutant.name}", flush=True)
        return killed

    with ThreadPoolExecutor(options.jobs) as pool:
        verdicts = list(pool.map(verdict, chosen))
    print(f"{sum(verdicts)} of {len(verdicts)} mutants killed")
    return verdicts.count(False)


if __name__ == "__main__":
    sys.exit(main())
