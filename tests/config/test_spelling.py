"""Names as Keras and PyTorch spell them mean the same class, and what they mean there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from backprop_cli import load_config, registry
from backprop_cli.commands.check import check_config
from backprop_cli.config.jsonschema import schema
from backprop_cli.config.marked import plain
from backprop_cli.config.text import parse
from backprop_cli.errors import ConfigError

SPELLED = [
    ("layer", "dense", "Dense Linear DENSE"),
    ("layer", "conv2d", "Conv2D Conv2d Convolution2D"),
    ("layer", "conv2d_transpose", "Conv2DTranspose ConvTranspose2d"),
    ("layer", "batch_norm", "BatchNorm1d BatchNorm2d BatchNormalization batch-norm"),
    ("layer", "layer_norm", "LayerNorm LayerNormalization"),
    ("layer", "max_pool2d", "MaxPool2d MaxPooling2D"),
    ("layer", "global_avg_pool", "GlobalAveragePooling2D"),
    ("layer", "rnn", "SimpleRNN RNN"),
    ("layer", "lstm", "LSTM"),
    ("layer", "multi_head_attention", "MultiHeadAttention MultiheadAttention"),
    ("layer", "spatial_dropout", "SpatialDropout2D Dropout2d"),
    ("layer", "zero_padding", "ZeroPadding2D ZeroPad2d"),
    ("layer", "concat", "Concatenate"),
    ("activation", "relu", "ReLU"),
    ("activation", "leaky_relu", "LeakyReLU"),
    ("activation", "silu", "SiLU Swish"),
    ("activation", "hard_swish", "Hardswish"),
    ("activation", "linear", "Linear Identity"),
    ("loss", "mean_squared_error", "MSELoss MeanSquaredError MSE"),
    ("loss", "mean_absolute_error", "L1Loss"),
    ("loss", "categorical_crossentropy", "CrossEntropyLoss CategoricalCrossentropy SparseCategoricalCrossentropy"),
    ("loss", "binary_crossentropy", "BCELoss BCEWithLogitsLoss BinaryCrossentropy"),
    ("loss", "kl_divergence", "KLDivergence KLDivLoss"),
    ("loss", "huber", "HuberLoss SmoothL1Loss"),
    ("optimizer", "adam", "Adam"),
    ("optimizer", "rmsprop", "RMSprop"),
    ("optimizer", "nadam", "NAdam Nadam"),
    ("schedule", "step", "StepLR"),
    ("schedule", "reduce_on_plateau", "ReduceLROnPlateau"),
    ("schedule", "cosine", "CosineAnnealingLR CosineDecay"),
    ("initializer", "he_normal", "HeNormal kaiming_normal_ KaimingNormal"),
    ("initializer", "glorot_uniform", "GlorotUniform xavier_uniform_"),
    ("metric", "accuracy", "Accuracy SparseCategoricalAccuracy"),
    ("metric", "f1", "F1Score"),
    ("transform", "standardize", "Normalize Normalization"),
    ("constraint", "non_negative", "NonNeg"),
    ("layer", "conv1d", "Conv1d Conv1D"),
    ("layer", "depthwise_conv2d", "DepthwiseConv2D"),
    ("layer", "max_pool1d", "MaxPool1d MaxPooling1D"),
    ("layer", "avg_pool1d", "AvgPool1d AveragePooling1D"),
    ("layer", "avg_pool2d", "AvgPool2d AveragePooling2D"),
    ("layer", "global_max_pool", "GlobalMaxPooling2D"),
    ("layer", "group_norm", "GroupNorm GroupNormalization"),
    ("layer", "rms_norm", "RMSNorm RMSNormalization"),
    ("layer", "gru", "GRU"),
    ("layer", "embedding", "Embedding"),
    ("layer", "dropout", "Dropout"),
    ("layer", "gaussian_noise", "GaussianNoise"),
    ("layer", "flatten", "Flatten"),
    ("layer", "reshape", "Reshape"),
    ("layer", "permute", "Permute"),
    ("layer", "add", "Add"),
    ("layer", "multiply", "Multiply"),
    ("layer", "subtract", "Subtract"),
    ("layer", "average", "Average"),
    ("layer", "maximum", "Maximum"),
    ("layer", "bidirectional", "Bidirectional"),
    ("layer", "masking", "Masking"),
    ("layer", "crop", "Cropping2D"),
    ("layer", "upsampling", "UpSampling1D UpSampling2D Upsample"),
    ("activation", "sigmoid", "Sigmoid"),
    ("activation", "tanh", "Tanh"),
    ("activation", "softmax", "Softmax"),
    ("activation", "log_softmax", "LogSoftmax"),
    ("activation", "elu", "ELU"),
    ("activation", "selu", "SELU"),
    ("activation", "gelu", "GELU"),
    ("activation", "mish", "Mish"),
    ("activation", "softplus", "Softplus"),
    ("activation", "softsign", "Softsign"),
    ("activation", "prelu", "PReLU"),
    ("activation", "hard_sigmoid", "HardSigmoid Hardsigmoid"),
    ("loss", "categorical_crossentropy", "NLLLoss"),
    ("loss", "poisson", "PoissonNLLLoss Poisson"),
    ("loss", "cosine_similarity", "CosineSimilarity"),
    ("loss", "hinge", "Hinge"),
    ("loss", "squared_hinge", "SquaredHinge"),
    ("loss", "log_cosh", "LogCosh"),
    ("loss", "binary_focal_crossentropy", "BinaryFocalCrossentropy"),
    ("optimizer", "sgd", "SGD"),
    ("optimizer", "adamw", "AdamW"),
    ("optimizer", "adamax", "Adamax"),
    ("optimizer", "radam", "RAdam"),
    ("optimizer", "adagrad", "Adagrad"),
    ("optimizer", "adadelta", "Adadelta"),
    ("optimizer", "lion", "Lion"),
    ("schedule", "multi_step", "MultiStepLR"),
    ("schedule", "exponential", "ExponentialLR ExponentialDecay"),
    ("schedule", "polynomial", "PolynomialLR PolynomialDecay"),
    ("schedule", "one_cycle", "OneCycleLR"),
    ("schedule", "cosine_restarts", "CosineAnnealingWarmRestarts CosineDecayRestarts"),
    ("schedule", "piecewise", "PiecewiseConstantDecay"),
    ("schedule", "constant", "ConstantLR"),
    ("initializer", "glorot_normal", "GlorotNormal"),
    ("initializer", "he_uniform", "HeUniform"),
    ("initializer", "lecun_normal", "LecunNormal"),
    ("initializer", "normal", "RandomNormal"),
    ("initializer", "uniform", "RandomUniform"),
    ("initializer", "truncated_normal", "TruncatedNormal"),
    ("initializer", "zeros", "Zeros"),
    ("initializer", "ones", "Ones"),
    ("initializer", "constant", "Constant"),
    ("initializer", "orthogonal", "Orthogonal"),
    ("initializer", "identity", "Identity"),
    ("initializer", "variance_scaling", "VarianceScaling"),
    ("metric", "auc", "AUC"),
    ("metric", "precision", "Precision"),
    ("metric", "recall", "Recall"),
    ("metric", "mse", "MeanSquaredError"),
    ("metric", "rmse", "RootMeanSquaredError"),
    ("metric", "r2", "R2Score"),
    ("metric", "top_k", "TopKCategoricalAccuracy"),
]
WORDS = [(kind, name, word) for kind, name, words in SPELLED for word in words.split()]

CONFIG = """\
dataset: {source: sample, name: digits, splits: {train: 'train[:80%]', validation: 'train[80%:]'}}
architecture:
  - Flatten
  - {type: Linear, units: 16, activation: ReLU, kernel_initializer: HeNormal}
  - {type: BatchNorm1d, momentum: 0.1}
  - {type: Dense, units: 10}
loss: CrossEntropyLoss
optimizer: {type: Adam, schedule: {type: StepLR, every: 2}}
trainer: {epochs: 1, metrics: [Accuracy, F1Score]}
"""


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    def write(*changes: tuple[str, str]) -> Path:
        text = CONFIG
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "c.yaml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize(("kind", "name", "word"), WORDS, ids=[f"{kind} {word}" for kind, _, word in WORDS])
def test_other_spellings_mean_the_same_class(kind: str, name: str, word: str) -> None:
    assert registry.get(kind, word) is registry.get(kind, name)


def test_the_exact_name_wins_over_one_that_only_differs_in_case() -> None:
    assert registry.get("layer", "linear").type_name == "linear"  # Keras's activation of this name
    assert registry.get("layer", "Linear").type_name == "dense"  # PyTorch's layer


def test_a_name_brings_what_it_means_in_its_library(config) -> None:
    cfg = load_config(config())
    assert [layer.type_name for layer in cfg.architecture] == ["flatten", "dense", "batch_norm", "dense"]
    assert cfg.loss.from_logits
    assert cfg.architecture[2].momentum == pytest.approx(0.9)  # PyTorch counts what is new, we what is kept
    assert cfg.optimizer.schedule.unit == "epoch"
    assert registry.make("loss", "BCEWithLogitsLoss").from_logits and not registry.make("loss", "BCELoss").from_logits
    assert registry.make("loss", "PoissonNLLLoss").log_input and not registry.make("loss", "Poisson").log_input
    assert registry.make("schedule", {"type": "ExponentialLR", "gamma": 0.9}).unit == "epoch"
    assert registry.make("schedule", {"type": "ExponentialDecay", "gamma": 0.9}).unit == "step"
    assert registry.make("layer", {"type": "BatchNormalization", "momentum": 0.99}).momentum == 0.99


def test_what_is_written_wins_over_what_a_name_implies(config) -> None:
    cfg = load_config(config(("StepLR, every", "StepLR, unit: step, every")))
    assert cfg.optimizer.schedule.unit == "step"
    assert not registry.make("loss", {"type": "CrossEntropyLoss", "from_logits": False}).from_logits


def test_such_a_config_trains_and_one_softmax_too_many_is_refused(config) -> None:
    assert check_config(config(), [])[1] is None
    error = check_config(config(), ["architecture+=Softmax"])[1]
    assert isinstance(error, ConfigError) and "CrossEntropyLoss implies it" in str(error)


def test_set_counts_layers_by_their_first_name(config) -> None:
    assert load_config(config(), ["architecture.dense_1.units=7"]).architecture[1].units == 7


def test_the_verbs_understand_them_too(bp) -> None:
    assert bp("layers", "BatchNormalization").out.startswith("batch_norm ")
    assert bp("gradcheck", "--layer", "Dense").out.count("dense") == 1


def test_the_schema_accepts_them(config) -> None:
    validator = jsonschema.Draft7Validator(schema())
    data = plain(parse(CONFIG, "c.yaml", []))
    assert [error.message for error in validator.iter_errors(data)] == []
    wrong = plain(parse(CONFIG.replace("type: Dense", "type: Dens"), "c.yaml", []))
    assert not validator.is_valid(wrong)


def test_a_mistyped_one_is_answered_with_the_name(config) -> None:
    with pytest.raises(ConfigError, match="did you mean 'dense'"):
        load_config(config(("type: Dense", "type: Dens")))
