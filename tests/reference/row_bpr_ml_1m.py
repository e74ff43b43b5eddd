"""BPR-MF on ml-1m in full ranking: RecBole-GNN's results/general/ml-1m.md, row BPR."""

from tests.reference.full_ranking import SD, liked_ml_1m, split_of, train
from tests.reference.row import Line, within

DATA = "ml-1m, ratings >= 3"
LINES = {
    "bpr-ml-1m": Line("8:1:1, all items", "NDCG@10", within(0.03, 0.2401)),
    "bpr-ml-1m-recall": Line("8:1:1, all items", "Recall@10"),
    "bpr-ml-1m-hr": Line("8:1:1, all items", "HR@10"),
}


def measure(seed: int) -> dict[str, float]:
    """Return the test figures of matrix factorisation, 64 numbers a vector."""
    from droidloop.models.recommenders.mf import MF

    split = split_of(liked_ml_1m(), seed)
    values = train(
        MF(split.n_items, 64, "bpr", sd=SD), split, seed, lr=0.001, batch=4096, patience=10
    )
    return dict(zip(LINES, (values[line.metric] for line in LINES.values()), strict=True))
