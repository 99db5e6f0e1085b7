"""Uploading a folder to a data set of the hub."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from httpx2 import HTTPError  # what the hub's client lets through

from sourcewise.commands.environment import UsageError


@dataclass(frozen=True)
class Target:
    """A data set of the hub that can be written to."""

    api: Any
    repo: str

    @classmethod
    def reached(cls, repo: str) -> Target:
        """Makes the data set, private, where it is not there yet.

        Asked before anything is written: raises UsageError where the hub is out of reach or refuses.
        """
        from huggingface_hub import HfApi

        api = HfApi()
        try:
            api.create_repo(repo, repo_type="dataset", private=True, exist_ok=True)
        except (OSError, ValueError, HTTPError) as error:
            raise UsageError(
                f"--push {repo}: {_first_line(error)}: REPO is owner/name; set HF_TOKEN to a token that may "
                "write there, unset HF_HUB_OFFLINE, or leave --push away"
            ) from None
        return cls(api, repo)

    def push(self, folder: Path) -> str:
        """Uploads the folder in one commit and returns its address; raises UsageError where that fails."""
        try:
            commit = self.api.upload_folder(
                repo_id=self.repo,
                repo_type="dataset",
                folder_path=folder,
                commit_message=f"{folder.name}, exported by Sourcewise",
            )
        except (OSError, ValueError, HTTPError) as error:
            raise UsageError(
                f"--push {self.repo}: {_first_line(error)}. {folder} is complete; what is missing is "
                f"`hf upload {self.repo} {folder} --repo-type dataset`"
            ) from None
        return str(commit.commit_url)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
