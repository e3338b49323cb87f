"""One file an alert source: a sender's payload becomes alerts."""
