"""What the tests are built with: the template's tables on any endpoint, a clock, real stream records, real requests."""
