"""The physics of phones: functions of time and laws, on integers."""
