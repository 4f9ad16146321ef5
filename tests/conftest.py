"""What every test file sees: the checkout's root on the path, and the architectures."""
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tools"), os.path.join(ROOT, "tests/vm")]
os.chdir(ROOT)
