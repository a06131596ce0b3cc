"""The whole stack on one machine: the template as it is, deployed to an emulator of AWS."""
