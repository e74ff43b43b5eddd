"""Steps of gradient descent on phones, compiled or in torch."""
