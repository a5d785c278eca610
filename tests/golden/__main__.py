"""`python -m tests.golden` writes `data/*.json` anew from the brute force."""

from tests.golden.brute_force import list_points
from tests.golden.files import BEGIN, END, NAMES, read_policy, write_data

if __name__ == "__main__":
    for policy_name in NAMES:
        write_data(policy_name, list_points(read_policy(policy_name), BEGIN, END))
