"""Documents -> passages -> scenes -> expressions, one stage a file, each a function from iterator to iterator."""
