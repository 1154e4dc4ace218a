"""MNIST as a Keras user writes it: python mnist_keras.py mnist.npz"""

import sys

import keras
import numpy as np

with np.load(sys.argv[1]) as data:
    x, y = data["x_train"].astype("float32") / 255, data["y_train"]

model = keras.Sequential(
    [
        keras.layers.Input((784,)),
        keras.layers.Dense(128, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ]
)
model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, epochs=1, verbose=2)
