"""`python -m edgelab` is the command `edgelab`."""

from edgelab.cli.main import main

raise SystemExit(main())
