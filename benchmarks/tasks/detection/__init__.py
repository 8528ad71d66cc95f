"""Detection tasks: pictures with boxes, from Pascal VOC, COCO and CSV files, and digits on a canvas."""
