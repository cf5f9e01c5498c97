#!/usr/bin/env python3
"""Judges the graph reference models with networkx.

    python testbench/oracles/graphs.py FOLDER

FOLDER holds jobs.jsonl, one job a line: {"name", "vertices", "edges": [[from, to, length], ...], "triangles",
"truss": [[u, v], ...] (the 4-truss), "source", "levels": [n or null, ...], "distances": [length or null, ...] or null} (testbench/tests/graphs.rs
writes them). Prints one line of JSON per job: {"name", "compared", "mismatches"}. Exit 3: no library.
"""

import json
import pathlib
import sys

try:
    import networkx as nx
except ImportError:
    sys.exit(3)


def judge(job):
    n = job["vertices"]
    graph = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_weighted_edges_from(job["edges"])
    simple = nx.Graph((u, v) for u, v, _ in job["edges"] if u != v)
    wrong = int(sum(nx.triangles(simple).values()) // 3 != job["triangles"])
    truss = {tuple(sorted(edge)) for edge in nx.k_truss(simple, 4).edges}
    wrong += len(truss ^ {tuple(edge) for edge in job["truss"]})
    levels = nx.single_source_shortest_path_length(graph, job["source"])
    wrong += sum(levels.get(v) != job["levels"][v] for v in range(n))
    compared = 1 + n + len(truss)
    try:
        lengths = dict(nx.all_pairs_bellman_ford_path_length(graph))
    except nx.NetworkXUnbounded:
        lengths = None
    if (lengths is None) != (job["distances"] is None):
        return compared, wrong + 1
    if lengths is not None:
        want = [lengths[u].get(v) for u in range(n) for v in range(n)]
        wrong += sum(a != b for a, b in zip(want, job["distances"], strict=True))
        compared += n * n
    return compared, wrong


for line in (pathlib.Path(sys.argv[1]) / "jobs.jsonl").read_text().splitlines():
    entry = json.loads(line)
    number, mismatches = judge(entry)
    print(json.dumps({"name": entry["name"], "compared": number, "mismatches": mismatches}))
