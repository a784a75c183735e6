"""The preprocess pipeline: from trip records of the Taxi & Limousine Commission (TLC) to train, validation and test sets."""
