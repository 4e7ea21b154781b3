"""`python -m bayes_npp` is the command line."""

from bayes_npp.cli import main

main()
