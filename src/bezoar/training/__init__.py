"""Models, the training loop and prediction."""

from bezoar.training import fast, plain, preact_resnet
from bezoar.training.loop import Progress, Trained, continue_recipe, train
from bezoar.training.models import MODELS, build_model
from bezoar.training.predict import predict_logits
from bezoar.training.recipe import Recipe, default_recipe
from bezoar.training.saved import MODEL_FILE, ModelCard, load_model, save_model

__all__ = [
    "MODELS",
    "MODEL_FILE",
    "ModelCard",
    "Progress",
    "Recipe",
    "Trained",
    "build_model",
    "continue_recipe",
    "default_recipe",
    "fast",
    "load_model",
    "plain",
    "preact_resnet",
    "predict_logits",
    "save_model",
    "train",
]
