"""The sections of the report page; see `tabrec.interpret.report`."""
