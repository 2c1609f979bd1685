"""From pictures to one person's landmarks, crops, masks and quality."""
