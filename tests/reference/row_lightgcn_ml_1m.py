"""LightGCN on ml-1m in full ranking: RecBole-GNN's results/general/ml-1m.md, row LightGCN.

Batches are eight times as large as there, for each costs six passes over all edges, whatever its
size; a step that starts large and fades makes up for it.
"""

from tests.reference.full_ranking import liked_ml_1m, split_of, train
from tests.reference.row import Line, within

DATA = "ml-1m, ratings >= 3"
LINES = {
    "lightgcn-ml-1m": Line("8:1:1, all items", "NDCG@10", within(0.03, 0.2538)),
    "lightgcn-ml-1m-recall": Line("8:1:1, all items", "Recall@10"),
    "lightgcn-ml-1m-hr": Line("8:1:1, all items", "HR@10"),
}


def measure(seed: int) -> dict[str, float]:
    """Return the test figures of three layers on the graph of all users."""
    from droidloop.models.graphs.propagation import Bipartite
    from droidloop.models.recommenders.lightgcn import LightGCN

    split = split_of(liked_ml_1m(), seed)
    model = LightGCN(Bipartite.of(split.train, split.n_items), 64, 3, l2=1e-4, sd=0.05)
    values = train(model, split, seed, lr=0.03, batch=32768, patience=6, decay=0.96)
    return dict(zip(LINES, (values[line.metric] for line in LINES.values()), strict=True))
