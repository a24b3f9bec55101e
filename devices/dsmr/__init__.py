"""Smart meters by the text telegram of their P1 port."""
