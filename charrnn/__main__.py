"""`python -m charrnn` is `charrnn`."""

from charrnn.cli.app import main

main()
