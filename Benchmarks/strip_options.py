"""Prints a .proto file without our own options, which other generators need not know."""

import re
import sys

text = open(sys.argv[1], encoding="utf-8").read()
text = re.sub(r'import "(google/api|oneshot/options)/[^"]*";\n', "", text)
text = re.sub(r"\s*option \([^)]*\) = \{.*?\};", "", text, flags=re.DOTALL)
print(text, end="")
