"""Talk to real Android devices, emulators and phones alike, through adb and the console."""
