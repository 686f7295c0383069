"""The report page, section by section; see `tabrec.interpret.report`."""
