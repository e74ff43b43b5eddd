"""A run or a sweep as one page of HTML, with charts that need no network."""
