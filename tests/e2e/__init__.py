"""The vault as a whole: a local cloud with a real host, driven through its API, judged by what storage and ARM say."""
