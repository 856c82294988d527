def pytest_configure(config):
    config.addinivalue_line("markers", "short: takes seconds and touches the heart of the thing; runs with sanitizers too")
