"""Sourcewise: which teacher should you distil from?"""
