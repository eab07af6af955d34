"""Operations of stages and profiles, the minutes that follow from a rate, and benchmarks."""
