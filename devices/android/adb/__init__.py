"""What goes over adb: the server, connections, files, and what its errors mean."""
