"""What schemathesis must know of this API beyond its description; loaded by its configuration."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
