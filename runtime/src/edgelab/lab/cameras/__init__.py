"""Virtual network cameras: moving test pictures as MJPEG over HTTP, for which no kernel module is needed."""
