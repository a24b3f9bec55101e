"""Billing: invoices per member and month, and the month-end statement, all out of the journal's own postings."""
